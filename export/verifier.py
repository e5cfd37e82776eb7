"""Holds an exported model against PyTorch: the same rows through both, on several batch sizes and lengths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from export.one_peace.audio_adapter import SAMPLE_RATE_HZ
from export.one_peace.checkpoint import Checkpoint
from export.one_peace.config import ModelConfig
from export.tracing import ContractModel
from service.engine.onnx_runtime import load_onnxruntime
from service.repository import BOX, CONTRACTS, PAD_TOKEN, Precision, read_model

# Largest differences; what was measured stands in `docs/export.md`. Of one number of an embedding; of logits, as a
# part of the largest one where that is above 1.
MAX_DIFFERENCES: dict[Precision, float] = {"fp32": 1e-4, "fp16": 0.01, "bf16": 0.03, "int8": 0.06}
# Of a corner, as a part of the image's side. All four numbers are positive, so cosines of boxes say little.
MAX_BOX_DIFFERENCES: dict[Precision, float] = {"fp32": 1e-4, "fp16": 0.002, "bf16": 0.02, "int8": 0.03}
MIN_COSINES: dict[Precision, float] = {"fp32": 0.9999, "fp16": 0.9995, "bf16": 0.998, "int8": 0.995}  # of a row
# (rows, token ids, seconds)
CASES = ((1, 3, 1.0), (3, 12, 2.3), (2, 71, 6.0))

Array = NDArray[np.float32]


class UnusableModel(Exception):
    """ONNX Runtime can't load or run the model; the message names the file and the reason."""


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
        limits = MAX_BOX_DIFFERENCES if CONTRACTS[self.model].output == BOX else MAX_DIFFERENCES
        return self.largest_difference <= limits[self.precision] and self.lowest_cosine >= MIN_COSINES[self.precision]

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
        UnusableModel: ONNX Runtime refuses the graph or the rows.
    """
    model = read_model(folder)
    cases = list(random_cases(model.name, checkpoint.config))
    expected = _run_pytorch(model.name, checkpoint, cases)
    found = _run_onnx(model.onnx_path, cases)
    differences, cosines = zip(*map(compare, expected, found), strict=True)
    return Verdict(model.name, model.card.precision, float(np.max(differences)), float(np.min(cosines)))


def compare(expected: Array, found: Array) -> tuple[float, float]:
    """Largest difference of `expected` and `found` [B, C], and lowest cosine of their rows.

    Differences are divided by the largest number that is expected, where that is above 1: only logits are. One number
    has no direction, so for C = 1 the cosine is 1.
    """
    want, have = expected.astype(np.float64), found.astype(np.float64)
    difference = float(np.abs(want - have).max() / max(1.0, np.abs(want).max()))
    if want.shape[1] == 1:
        return difference, 1.0
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


def _run_onnx(path: Path, cases: list[dict[str, NDArray[np.generic]]]) -> list[Array]:
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is said once, by the exception
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return [np.asarray(session.run(None, case)[0]) for case in cases]
    except Exception as error:  # its classes have no common base
        reason = " ".join(str(error).split())
        raise UnusableModel(f"{path}: ONNX Runtime can't run it: {reason}") from error


def _run_pytorch(name: str, checkpoint: Checkpoint, cases: list[dict[str, NDArray[np.generic]]]) -> list[Array]:
    embeds = checkpoint.config.head is None
    model = ContractModel(name, checkpoint.embedding_model((name,)) if embeds else checkpoint.classify_model())  # type: ignore[arg-type]
    with torch.inference_mode():
        return [model(*(torch.from_numpy(value) for value in case.values())).numpy() for case in cases]
