"""The confusion matrix as a drawing: where its squares stand and how dark they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.evaluation.tasks.result import Confusion

MAX_CLASSES = 120
"""With more, only the worst confusions are listed."""
CHART_SIDE, LARGEST_CELL, SMALLEST_CELL = 720, 40, 6  # in SVG units
LETTER_WIDTH = 0.6  # of the font's size, for a sans-serif face
WORST = 12


@dataclass(frozen=True, slots=True)
class Square:
    """One cell that is not empty. `share` of its row, 0 to 1; `right` on the diagonal."""

    x: float
    y: float
    share: float
    right: bool
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    """A class's name at the middle of its row and column, counted from the grid's corner."""

    place: float
    name: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The drawing: a grid of `side` units, with `margin` units at the left and the top for the labels."""

    cell: float
    side: float
    margin: float
    font: float
    squares: tuple[Square, ...]
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """How often one class was taken for another."""

    true_class: str
    chosen_class: str
    count: int
    of: int


def chart(confusion: Confusion) -> Chart | None:
    """The drawing of the classes that occur; None when they are too many to be seen."""
    occurring = np.flatnonzero(confusion.matrix.sum(axis=0) + confusion.matrix.sum(axis=1))
    if not 0 < len(occurring) <= MAX_CLASSES:
        return None
    matrix = confusion.matrix[np.ix_(occurring, occurring)]
    names = [confusion.classes[number] for number in occurring]
    cell = min(LARGEST_CELL, max(SMALLEST_CELL, CHART_SIDE / len(names)))
    font = min(13.0, cell)
    squares = tuple(
        Square(
            x=column * cell,
            y=row * cell,
            share=float(matrix[row, column] / matrix[row].sum()),
            right=bool(row == column),
            title=f"{names[row]} → {names[column]}: {matrix[row, column]} of {matrix[row].sum()}",
        )
        for row, column in np.argwhere(matrix)
    )
    labels = tuple(Label((number + 0.5) * cell, name) for number, name in enumerate(names))
    margin = max(map(len, names)) * font * LETTER_WIDTH + 8
    return Chart(cell, cell * len(names), margin, font, squares, labels)


def worst_mistakes(confusion: Confusion) -> list[Mistake]:
    """The most frequent confusions, most frequent first."""
    wrong = confusion.matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:WORST]
    pairs = [(int(place) // len(wrong), int(place) % len(wrong)) for place in order]
    return [
        Mistake(
            confusion.classes[row], confusion.classes[column], int(wrong[row, column]), int(confusion.matrix[row].sum())
        )
        for row, column in pairs
        if wrong[row, column] > 0
    ]
