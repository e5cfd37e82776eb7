"""Holds an exported model against PyTorch: the same rows through both, on several batch sizes and lengths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from export.one_peace.audio_adapter import SAMPLE_RATE_HZ
from export.one_peace.checkpoint import Checkpoint
from export.one_peace.config import ModelConfig
from export.tracing import ContractModel
from service.repository import CONTRACTS, EMBEDDING_MODELS, PAD_TOKEN, Precision, read_model

MAX_DIFFERENCE_FP32 = 1e-4
MIN_COSINES: dict[Precision, float] = {"fp32": 0.9999, "fp16": 0.9995, "bf16": 0.998, "int8": 0.995}
# (rows, token ids, seconds)
CASES = ((1, 3, 1.0), (3, 12, 2.3), (2, 71, 6.0))

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Verdict:
    """How far a model is from PyTorch."""

    model: str
    precision: Precision
    largest_difference: float
    lowest_cosine: float

    @property
    def passed(self) -> bool:
        """Whether both are within the precision's tolerance; NaN is not."""
        near = self.precision != "fp32" or self.largest_difference <= MAX_DIFFERENCE_FP32
        return near and self.lowest_cosine >= MIN_COSINES[self.precision]

    def line(self) -> str:
        """One row of the table."""
        word = "ok" if self.passed else "FAILED"
        return (
            f"{self.model:<13} {self.precision:<5} {self.largest_difference:>10.2e} {self.lowest_cosine:>12.7f}  {word}"
        )


HEADER = f"{'model':<13} {'':<5} {'difference':>10} {'cosine':>12}  verdict"


def verify_model(folder: Path, checkpoint: Checkpoint) -> Verdict:
    """Run the model in `folder` and its checkpoint (in float32) on the same random rows.

    PyTorch's model is freed before ONNX Runtime loads its own.

    Raises:
        RepositoryError: the folder is broken.
    """
    model = read_model(folder)
    cases = list(random_cases(model.name, checkpoint.config))
    expected = _run_pytorch(model.name, checkpoint, cases)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model.onnx_path), options, providers=["CPUExecutionProvider"])
    found = [np.asarray(session.run(None, case)[0]) for case in cases]
    differences, cosines = zip(
        *(compare(model.name, want, have) for want, have in zip(expected, found, strict=True)), strict=True
    )
    return Verdict(model.name, model.card.precision, float(np.max(differences)), float(np.min(cosines)))


def compare(name: str, expected: Array, found: Array) -> tuple[float, float]:
    """Largest difference, and lowest cosine: of the rows for embeddings, of the whole batch for logits and boxes."""
    difference = float(np.abs(expected - found).max())
    rows = (expected, found) if name in EMBEDDING_MODELS else (expected.reshape(1, -1), found.reshape(1, -1))
    want, have = (side.astype(np.float64) for side in rows)
    cosine = (want * have).sum(1) / (np.linalg.norm(want, axis=1) * np.linalg.norm(have, axis=1))
    return difference, float(cosine.min())


def random_cases(name: str, config: ModelConfig) -> Iterator[dict[str, NDArray[np.generic]]]:
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
        values: dict[str, NDArray[np.generic]] = {
            "tokens": tokens,
            "pixels": pixels[0],
            "pixels_2": pixels[1],
            "waveform": waveform,
            "num_samples": samples,
        }
        yield {tensor.name: values[tensor.name] for tensor in CONTRACTS[name].inputs}


def _run_pytorch(name: str, checkpoint: Checkpoint, cases: list[dict[str, NDArray[np.generic]]]) -> list[Array]:
    embeds = checkpoint.config.head is None
    model = ContractModel(name, checkpoint.embedding_model((name,)) if embeds else checkpoint.classify_model())  # type: ignore[arg-type]
    with torch.inference_mode():
        return [model(*(torch.from_numpy(value) for value in case.values())).numpy() for case in cases]
