"""Parts of items, ready to be embedded: the rows that each needs, and what to make of the rows' outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.preprocessing import Note, Prepared
from service.usecases.quantization import shorten
from service.usecases.windows import Span, WindowedClip, pool

Vector = NDArray[np.float32]
MIN_FUSED_NORM = 1e-6
"""Of Σ|w|: float32 vectors agree to about 1e-7, so what is below is rounding."""


@dataclass(frozen=True, slots=True)
class WindowVector:
    """One window of a clip: float32 [D], L2 norm 1."""

    span: Span
    vector: Vector


@dataclass(frozen=True, slots=True)
class Embedded:
    """One item's vector: float32 [D], L2 norm 1.

    `notes` say what was done to the item (a fused one: to each part); `windows` are those of a windowed clip.
    """

    modality: str
    vector: Vector
    notes: tuple[Note, ...]
    windows: tuple[WindowVector, ...] = ()

    def shortened(self, dimensions: int) -> Embedded:
        """With the first `dimensions` numbers of each vector, L2-normalised anew."""
        windows = tuple(replace(window, vector=shorten(window.vector, dimensions)) for window in self.windows)
        return replace(self, vector=shorten(self.vector, dimensions), windows=windows)


@dataclass(frozen=True, slots=True)
class PartVector:
    """What became of one part; its vector is None where its windows cancel each other out."""

    vector: Vector | None
    note: Note
    windows: tuple[WindowVector, ...] = ()


class Embeddable(Protocol):
    """A part of an item that has been decoded and checked."""

    @property
    def rows(self) -> Sequence[Prepared]:
        """What the engine has to run."""
        ...

    def collect(self, outputs: Sequence[Vector]) -> PartVector:
        """The part's vector from the outputs of its rows, each float32 [D]."""
        ...


@dataclass(frozen=True, slots=True)
class SingleRow:
    """A text, a picture, or a clip as far as the model hears it."""

    row: Prepared

    @property
    def rows(self) -> Sequence[Prepared]:
        """As `Embeddable`."""
        return (self.row,)

    def collect(self, outputs: Sequence[Vector]) -> PartVector:
        """As `Embeddable`."""
        return PartVector(outputs[0], self.row.note)


@dataclass(frozen=True, slots=True)
class GivenVector:
    """A vector that the caller has already: float32 [D], L2 norm 1."""

    vector: Vector
    rows: Sequence[Prepared] = ()

    def collect(self, outputs: Sequence[Vector]) -> PartVector:  # noqa: ARG002 (there are none)
        """As `Embeddable`."""
        return PartVector(self.vector, {})


@dataclass(frozen=True, slots=True)
class WindowRows:
    """All windows of a clip; their vector is the normalised mean, weighted by seconds."""

    clip: WindowedClip

    @property
    def rows(self) -> Sequence[Prepared]:
        """As `Embeddable`."""
        return self.clip.rows

    def collect(self, outputs: Sequence[Vector]) -> PartVector:
        """As `Embeddable`."""
        windows = tuple(WindowVector(span, vector) for span, vector in zip(self.clip.spans, outputs, strict=True))
        pooled = pool(np.stack(outputs), self.clip.spans)
        return PartVector(normalized(pooled, MIN_FUSED_NORM), self.clip.note, windows)


def fuse(vectors: Sequence[Vector], weights: Sequence[float]) -> Vector | None:
    """Σ wᵢ·vᵢ, L2-normalised, [D]; None when nothing but rounding is left of it.

    Only the weights' ratios matter, so they are scaled to a largest of 1 first: none overflows, none vanishes.
    """
    largest = max(abs(weight) for weight in weights)
    if largest == 0.0:
        return None
    scaled = np.asarray(weights, dtype=np.float64) / largest
    return normalized(scaled @ np.stack(vectors).astype(np.float64), MIN_FUSED_NORM * float(np.abs(scaled).sum()))


def normalized(vector: NDArray[np.float64], min_norm: float) -> Vector | None:
    """The vector with L2 norm 1, float32 [D]; None below `min_norm`."""
    norm = float(np.linalg.norm(vector))
    return None if norm < min_norm else (vector / norm).astype(np.float32)
