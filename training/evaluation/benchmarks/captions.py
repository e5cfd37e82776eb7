"""Captions grouped by their file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from training.evaluation.benchmarks.rows import sort_by_presence
from training.evaluation.dataset import Captioned, CaptionedFile, DataError, MediaKind


def captioned(kind: MediaKind, captions: Iterable[tuple[Path, str]]) -> Captioned:
    """Files in the order in which they first occur, each with all its captions.

    Raises:
        DataError: there is no caption, or none of the files is there.
    """
    grouped: dict[Path, list[str]] = {}
    for path, caption in captions:
        grouped.setdefault(path, []).append(caption.strip())
    if not grouped:
        raise DataError("the data has no captions of the wanted part")
    items, missing = sort_by_presence([(path, CaptionedFile(path, tuple(some))) for path, some in grouped.items()])
    return Captioned(kind, items, missing)
