"""What both protocols' answers are put together from, once each has taken its own messages apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onepeace_client.answers import Answer, Note, WindowVectors
from onepeace_client.encodings import DTYPES, Encoding, blank
from onepeace_client.errors import InputProblem

CORNERS = ("x0", "y0", "x1", "y1")
Forms = Mapping[Encoding, bytes]
"""One vector's bytes in each encoding."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One item's share of an answer: `forms`, or an error; `windows` with start and end in seconds."""

    index: int
    input: Note | None
    error: InputProblem | None = None
    forms: Forms = field(default_factory=dict)
    windows: Sequence[tuple[float, float, Forms]] = ()


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedPart(Answer):
    """One request's share of an embedding: `encoded` [n, …], blank where `errors` has the row."""

    dimensions: int
    encoded: Mapping[Encoding, NDArray[Any]]
    inputs: tuple[Note | None, ...]
    errors: Mapping[int, InputProblem]
    windows: Mapping[int, WindowVectors]


def embedded_part(
    source: Answer, dimensions: int, entries: Iterable[Entry], wanted: Sequence[Encoding]
) -> EmbeddedPart:
    """The items' entries as arrays, in order.

    Raises:
        KeyError, ValueError: an entry lacks an encoding, or has another length.
    """
    ordered = sorted(entries, key=lambda entry: entry.index)
    encoded = {encoding: blank(encoding, len(ordered), dimensions) for encoding in wanted}
    windows: dict[int, WindowVectors] = {}
    for row, entry in enumerate(ordered):
        if entry.error is None:
            for encoding in wanted:
                encoded[encoding][row] = _numbers(entry.forms, encoding)
        if entry.windows:
            windows[row] = _window_vectors(entry.windows, wanted)
    errors = {row: entry.error for row, entry in enumerate(ordered) if entry.error is not None}
    inputs = tuple(entry.input for entry in ordered)
    return EmbeddedPart(source.model, source.fingerprint, dimensions, encoded, inputs, errors, windows)


def corners(boxes: Iterable[Sequence[float]]) -> NDArray[np.float64]:
    """Four numbers for each box, [P, 4]."""
    return np.asarray(list(boxes), dtype=np.float64).reshape(-1, 4)


def given_numbers(values: Sequence[float | None]) -> NDArray[np.float64] | None:
    """Numbers that either all were given, or none."""
    return None if not values or None in values else np.asarray(values, dtype=np.float64)


def _window_vectors(windows: Sequence[tuple[float, float, Forms]], wanted: Sequence[Encoding]) -> WindowVectors:
    spans_s = np.asarray([(start, end) for start, end, _ in windows], dtype=np.float64)
    return WindowVectors(
        {encoding: np.stack([_numbers(forms, encoding) for _, _, forms in windows]) for encoding in wanted}, spans_s
    )


def _numbers(forms: Forms, encoding: Encoding) -> NDArray[Any]:
    return np.frombuffer(forms[encoding], dtype=DTYPES[encoding])
