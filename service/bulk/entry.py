"""One row to come: where its content lies. Plain data, so that it can travel to another machine."""

from __future__ import annotations

import os
from dataclasses import dataclass

UNREADABLE, UNSUPPORTED = "unreadable_file", "unsupported_file"
"""Codes of rows whose content never got as far as the service; the others are the service's own (docs/api.md)."""

NOT_REGULAR = "can't be read: not a regular file"
"""What is said of pipes, sockets, devices and folders in the place of files."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a row has no vector: a stable code, and words for people."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Exactly one of `text`, `file` and `failure` is set.

    Attributes:
        row: place in the source, from 0.
        id: name of the row, as the source gives it.
        path: the file as shown to people, valid UTF-8; None for texts of a table.
        file: the file as the operating system takes it.
        offset: where the content begins, for a member of an archive; None: all of the file.
        size: bytes of the content, as far as known before it is read.
    """

    row: int
    id: str
    path: str | None = None
    text: str | None = None
    file: str | None = None
    failure: Failure | None = None
    offset: int | None = None
    size: int = 0


def shown(path: str) -> str:
    """A path as valid UTF-8: bytes that are not become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def unreadable(error: OSError) -> Failure:
    """The failure for a file that the operating system does not give."""
    return Failure(UNREADABLE, f"can't be read: {error.strerror or type(error).__name__}")
