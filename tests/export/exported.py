"""Exports for tests: a vocabulary of a few words, tiny random checkpoints, and a session for a model."""

from __future__ import annotations

import json

import onnxruntime

from export.vocabulary import DICTIONARY_FILE, ENCODER_FILE, MERGES_FILE, byte_characters
from service.repository import MODEL_FILE


def write_bytes_vocabulary(folder):
    """A vocabulary without merges: one id for each byte."""
    characters = list(byte_characters())
    (folder / ENCODER_FILE).write_text(json.dumps({character: i for i, character in enumerate(characters)}))
    (folder / MERGES_FILE).write_text("#version: 0.2\n")
    (folder / DICTIONARY_FILE).write_text("".join(f"{i} 1\n" for i in range(len(characters))))


def open_session(folder):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"])


def run_session(session, batch):
    return session.run(None, {tensor.name: batch[tensor.name] for tensor in session.get_inputs()})[0]
