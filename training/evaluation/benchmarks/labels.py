"""From labels in words to numbered classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.evaluation.benchmarks.rows import sort_by_presence
from training.evaluation.dataset import DataError, Labelled, LabelledFile, MediaKind


def labelled(kind: MediaKind, files: Sequence[tuple[Path, str]], classes: Sequence[str] | None = None) -> Labelled:
    """Files with one label each. Without `classes`, they are the labels that occur, sorted.

    Raises:
        DataError: there is no file, or none of them is there.
    """
    if not files:
        raise DataError("the data has no files of the wanted part")
    known = tuple(classes) if classes is not None else tuple(sorted({label for _, label in files}))
    numbers = {label: number for number, label in enumerate(known)}
    items, missing = sort_by_presence([(path, LabelledFile(path, (numbers[label],))) for path, label in files])
    return Labelled(kind, items, known, tuple(map(spoken, known)), missing=missing)


def spoken(label: str) -> str:
    """A label as words: file names and CSV files write "frying_pan"."""
    return " ".join(label.replace("_", " ").split())
