"""One row that is done, as it goes into the table and, until then, into the journal."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from service.bulk.entry import Entry, Failure
from service.preprocessing import Note

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the embedder made of one item: `vector` float32 [D], L2 norm 1; `note` says what was done to it."""

    vector: Vector
    note: Note


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a vector, or else a failure. `modality` is None where the content was not known."""

    row: int
    id: str
    path: str | None
    modality: str | None
    vector: Vector | None
    note: Note | None
    failure: Failure | None

    @property
    def truncated(self) -> bool | None:
        """Whether the model did not see all of the input."""
        if self.note is None:
            return None
        heard_less = self.note.get("used_seconds", 0.0) < self.note.get("seconds", 0.0)
        return bool(self.note.get("truncated", False)) or heard_less


def finished(entry: Entry, modality: str | None, outcome: Answer | Failure) -> Row:
    """The row of an entry."""
    if isinstance(outcome, Failure):
        return Row(entry.row, entry.id, entry.path, modality, None, None, outcome)
    return Row(entry.row, entry.id, entry.path, modality, outcome.vector, outcome.note, None)


def encode_row(row: Row) -> bytes:
    """One line of JSON, with its line break; the vector is base64 of little-endian float32."""
    vector = None if row.vector is None else base64.b64encode(np.asarray(row.vector, "<f4").tobytes()).decode()
    failure = None if row.failure is None else [row.failure.code, row.failure.detail]
    return orjson.dumps([row.row, row.id, row.path, row.modality, vector, row.note, failure]) + b"\n"


def decode_row(line: bytes) -> Row:
    """The row of a line.

    Raises:
        ValueError: the line is not whole.
    """
    fields: Any = orjson.loads(line)
    if not isinstance(fields, list) or len(fields) != 7:
        raise ValueError("not a row")
    row, name, path, modality, encoded, note, failure = fields
    vector = None if encoded is None else np.frombuffer(base64.b64decode(encoded), "<f4").astype(np.float32)
    return Row(row, name, path, modality, vector, note, None if failure is None else Failure(*failure))
