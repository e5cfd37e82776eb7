"""How far two runs of one model may be apart, and a run by ONNX Runtime to compare with. Needs no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.engine.onnx_runtime import load_onnxruntime
from service.repository import BOX, CONTRACTS, Precision

# Largest differences; what was measured stands in `docs/export.md`. Of one number of an embedding; of logits, as a
# part of the largest one where that is above 1.
MAX_DIFFERENCES: dict[Precision, float] = {"fp32": 1e-4, "fp16": 0.01, "bf16": 0.03, "int8": 0.06}
# Of a corner, as a part of the image's side. All four numbers are positive, so cosines of boxes say little.
MAX_BOX_DIFFERENCES: dict[Precision, float] = {"fp32": 1e-4, "fp16": 0.002, "bf16": 0.02, "int8": 0.03}
MIN_COSINES: dict[Precision, float] = {"fp32": 0.9999, "fp16": 0.9995, "bf16": 0.998, "int8": 0.995}  # of a row

Array = NDArray[np.float32]
Rows = dict[str, NDArray[np.generic]]


class UnusableModel(Exception):
    """ONNX Runtime can't load or run the model; the message names the file and the reason."""


@dataclass(frozen=True)
class Verdict:
    """How far a model is from what it is held against."""

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


def judge(model: str, precision: Precision, pairs: list[tuple[Array, Array]]) -> Verdict:
    """The verdict over pairs of what is expected and what was found, [B, C] each."""
    differences, cosines = zip(*(compare(expected, found) for expected, found in pairs), strict=True)
    return Verdict(model, precision, float(np.max(differences)), float(np.min(cosines)))


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


def run_onnx(path: Path, cases: list[Rows]) -> list[Array]:
    """Run a graph on the CPU.

    Raises:
        UnusableModel: ONNX Runtime refuses the graph or the rows.
    """
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is said once, by the exception
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return [np.asarray(session.run(None, case)[0]) for case in cases]
    except Exception as error:  # its classes have no common base
        reason = " ".join(str(error).split())
        raise UnusableModel(f"{path}: ONNX Runtime can't run it: {reason}") from error
