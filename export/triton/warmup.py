"""The rows that Triton runs before a model is ready: one alone and the largest batch, of every length bucket.

Triton makes `batch_size` requests of one row each and runs them together; a file is read from its start, so one
file serves every length up to its own (`backend_model_instance.cc` of triton-inference-server/core).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tritonclient.grpc import model_config_pb2

from export.profiles import bucket_bounds, input_shape, largest_batch
from service.repository import CONTRACTS, NUM_SAMPLES, TOKENS, WAVEFORM, ModelFolder, Tensor

FOLDER = "warmup"  # where Triton looks
SENTENCE = "a brown dog runs after a red ball on the beach while two children watch"


def set_warmups(model: ModelFolder) -> None:
    """Replace the warm-ups in the model's configuration."""
    del model.config.model_warmup[:]
    for rows, length in warmup_sizes(model):
        name = f"rows_{rows}_length_{length}" if length else f"rows_{rows}"
        warmup = model.config.model_warmup.add(name=name, batch_size=rows)
        for tensor in CONTRACTS[model.name].inputs:
            _fill(warmup.inputs[tensor.name], tensor, model, length)


def warmup_sizes(model: ModelFolder) -> Iterator[tuple[int, int]]:
    """Rows and length (samples or token ids; 0 for images) of each warm-up."""
    for bound in bucket_bounds(model) or (0,):
        yield from ((rows, bound) for rows in sorted({1, largest_batch(model, bound)}))


def write_warmup_files(model: ModelFolder) -> None:
    """Write what is neither zero nor random: token ids of real words, and the number of samples of each bucket."""
    inputs, folder = CONTRACTS[model.name].inputs, model.path / FOLDER
    if TOKENS in inputs:
        folder.mkdir(exist_ok=True)
        (folder / TOKENS.name).write_bytes(_words(model).astype("<i8").tobytes())
    if NUM_SAMPLES in inputs:
        folder.mkdir(exist_ok=True)
        for bound in bucket_bounds(model):
            (folder / _samples_file(bound)).write_bytes(np.array([bound], dtype="<i8").tobytes())


def _fill(entry: Any, tensor: Tensor, model: ModelFolder, length: int) -> None:
    entry.data_type = getattr(model_config_pb2, f"TYPE_{tensor.data_type}")
    entry.dims.extend(input_shape(tensor, model, 1, length)[1:])
    if tensor == TOKENS:
        entry.input_data_file = TOKENS.name
    elif tensor == NUM_SAMPLES:
        entry.input_data_file = _samples_file(length)
    elif tensor == WAVEFORM:
        entry.zero_data = True  # silence: random bytes are no numbers
    else:
        entry.random_data = True


def _samples_file(samples: int) -> str:
    return f"{NUM_SAMPLES.name}_{samples}"


def _words(model: ModelFolder) -> NDArray[np.int64]:
    ids = Tokenizer.from_file(str(model.tokenizer_path)).encode(SENTENCE).ids[:-1]  # without the end token
    return np.resize(np.array(ids, dtype=np.int64), model.card.max_tokens or len(ids))  # repeated
