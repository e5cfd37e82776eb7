"""What an evaluation asks of a model, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training.evaluation.dataset import MediaKind

Vector = NDArray[np.float32]
Corners = NDArray[np.float64]
MAX_PHRASES = 32
"""Phrases that are asked of one picture at once."""


class ModelError(Exception):
    """The model can't be asked, or gave no usable answer; the message is for the user."""


class NotServed(ModelError):
    """The repository lacks the model that this needs."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one input could not be used; its neighbours were."""

    why: str


@dataclass(frozen=True, slots=True)
class PhrasesInPicture:
    """One picture and what to find in it: 1 to `MAX_PHRASES` phrases."""

    path: Path
    phrases: tuple[str, ...]


class EvaluatedModel(Protocol):
    """Embeds, grounds and labels. Answers come in the order of what was asked, as soon as they are there.

    Every method may raise `ModelError`; `NotServed` when the repository lacks the model.
    """

    def info(self) -> dict[str, Any]:
        """What `GET /info` tells: model, fingerprints, dimensions, limits."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Iterator[Vector | Refusal]:
        """One vector for each text: float32 [D], L2 norm 1."""
        ...

    def embed_files(self, kind: MediaKind, paths: Sequence[Path]) -> Iterator[Vector | Refusal]:
        """One vector for each picture or sound: float32 [D], L2 norm 1."""
        ...

    def ground(self, pictures: Sequence[PhrasesInPicture]) -> Iterator[Corners | Refusal]:
        """For each picture float64 [phrases, 4]: x0, y0, x1, y1 as fractions of the upright picture's sides."""
        ...

    def label_sounds(self, paths: Sequence[Path]) -> Iterator[dict[str, float] | Refusal]:
        """For each sound the probability, 0 to 1, of every label of the trained head."""
        ...

    def close(self) -> None:
        """Let go of connections, threads and models."""
        ...
