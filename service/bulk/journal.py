"""Rows that are done but stand in no part yet: what a kill would otherwise cost."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from service.bulk.row import Row, decode_row, encode_row


class Journal:
    """A file of lines, appended with one `write` for each row, so that a kill can only cut off its end."""

    def __init__(self, path: Path) -> None:
        """Read what a run before left; what its kill cut off is dropped."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._path = path
        self.rows = list(self._whole_rows())

    def _whole_rows(self) -> Iterator[Row]:
        end = 0
        with open(self._path, "rb") as reader:
            for line in reader:
                try:
                    row = decode_row(line)
                except ValueError:
                    break
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                yield row
        os.ftruncate(self._descriptor, end)

    def append(self, row: Row) -> None:
        """Write one row; from then on only a fault of the machine can lose it."""
        line = encode_row(row)
        written = os.write(self._descriptor, line)
        if written != len(line):
            raise OSError(errno.ENOSPC, "the disk is full")

    def clear(self) -> None:
        """Forget all rows: a part holds them now."""
        os.ftruncate(self._descriptor, 0)

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
