"""Holds an exported model against PyTorch: the same rows through both, on several batch sizes and lengths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from export.agreement import Array, Rows, Verdict, judge, run_onnx
from export.one_peace.audio_adapter import SAMPLE_RATE_HZ
from export.one_peace.checkpoint import Checkpoint
from export.one_peace.config import ModelConfig
from export.tracing import ContractModel
from service.repository import CONTRACTS, PAD_TOKEN, read_model

# (rows, token ids, seconds)
CASES = ((1, 3, 1.0), (3, 12, 2.3), (2, 71, 6.0))


def verify_model(folder: Path, checkpoint: Checkpoint) -> Verdict:
    """Run the model in `folder` and its checkpoint (in float32) on the same random rows.

    PyTorch's model is freed before ONNX Runtime loads its own.

    Raises:
        RepositoryError: the folder is broken.
        UnusableModel: ONNX Runtime refuses the graph or the rows.
    """
    model = read_model(folder)
    cases = list(random_cases(model.name, checkpoint.config))
    expected = _run_pytorch(model.name, checkpoint, cases)
    found = run_onnx(model.onnx_path, cases)
    return judge(model.name, model.card.precision, list(zip(expected, found, strict=True)))


def random_cases(name: str, config: ModelConfig) -> Iterator[Rows]:
    """Inputs of model `name`, rows of unequal length padded to the longest."""
    generator = np.random.default_rng(0)
    size = config.image.image_size
    for rows, ids, seconds in CASES:
        tokens = generator.integers(4, config.text.vocabulary_size, (rows, min(ids, config.max_text_tokens + 1)))
        samples = np.linspace(SAMPLE_RATE_HZ, int(seconds * SAMPLE_RATE_HZ), rows).astype(np.int64)
        samples = np.flip(samples).reshape(rows, 1).copy()
        waveform = generator.standard_normal((rows, int(samples.max())), dtype=np.float32)
        for row in range(1, rows):
            tokens[row, max(1, tokens.shape[1] * row // rows) :] = PAD_TOKEN
            waveform[row, samples[row, 0] :] = 0
        pixels = generator.integers(0, 256, (2, rows, 3, size, size), dtype=np.uint8)
        values: Rows = {
            "tokens": tokens,
            "pixels": pixels[0],
            "pixels_2": pixels[1],
            "waveform": waveform,
            "num_samples": samples,
        }
        yield {tensor.name: values[tensor.name] for tensor in CONTRACTS[name].inputs}


def _run_pytorch(name: str, checkpoint: Checkpoint, cases: list[Rows]) -> list[Array]:
    embeds = checkpoint.config.head is None
    model = ContractModel(name, checkpoint.embedding_model((name,)) if embeds else checkpoint.classify_model())  # type: ignore[arg-type]
    with torch.inference_mode():
        return [model(*(torch.from_numpy(value) for value in case.values())).numpy() for case in cases]
