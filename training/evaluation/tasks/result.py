"""What a task finds: numbers for the table, and examples for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.evaluation.dataset import Box, DataError

EXAMPLES = 12
"""Queries shown in the report, spread evenly."""
ANSWERS = 5
"""Best answers shown for each."""


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """What the user may choose. `templates` empty: those of the data, else the usual ones of its kind.

    `galleries` random galleries are drawn with `seed`; `sound_weight` against 1 for the text in fused queries.
    """

    templates: tuple[str, ...] = ()
    seed: int = 0
    galleries: int = 10
    sound_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing in the report: a text, or a file with a line about it."""

    kind: Literal["text", "image", "audio"]
    text: str
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One candidate that the model put among the first, with its cosine or probability."""

    shown: Shown
    score: float
    right: bool


@dataclass(frozen=True, slots=True)
class Ranking:
    """A query (one or more parts) and the best answers, best first. `place` of the right one, 0 the best."""

    query: tuple[Shown, ...]
    answers: tuple[Answer, ...]
    place: int


@dataclass(frozen=True, slots=True)
class FoundBox:
    """A phrase, where it is and where the model says that it is, in pixels."""

    path: Path
    phrase: str
    true_box: Box
    found_box: Box
    overlap: float

    @property
    def crossed(self) -> bool:
        """Whether the model's corners stand the wrong way round, so that its box has no area."""
        x0, y0, x1, y1 = self.found_box
        return x1 <= x0 or y1 <= y0


@dataclass(frozen=True, slots=True)
class Confusion:
    """`matrix` int64 [C, C]: how often the class of the row was taken for the column's."""

    classes: tuple[str, ...]
    matrix: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that the model could not use."""

    path: Path
    why: str


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table. `metrics` are fractions, 0 to 1; `count` says how many queries they come from."""

    title: str
    count: int
    metrics: dict[str, float]
    missing: tuple[Path, ...] = ()
    refused: tuple[Refused, ...] = ()
    details: dict[str, object] = field(default_factory=dict)
    rankings: tuple[Ranking, ...] = ()
    boxes: tuple[FoundBox, ...] = ()
    confusion: Confusion | None = None


def require_items(items: Sequence[object], what: str) -> None:
    """Make sure that there is something to measure.

    Raises:
        DataError: nothing was left.
    """
    if not items:
        raise DataError(f"no {what} to evaluate: every file is missing or unreadable")
