"""Rows that are done but stand in no part yet: what a kill would otherwise cost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from service.bulk.row import Row, decode_row, encode_row


class Journal:
    """A file of lines, appended with one `write` for each row, so that a kill can only cut off its end."""

    def __init__(self, path: Path) -> None:
        """Read what a run before left; what its kill cut off is dropped."""
        self._file = open(path, "a+b", buffering=0)
        self.rows = list(self._whole_rows())

    def _whole_rows(self) -> Iterator[Row]:
        end = 0
        self._file.seek(0)
        with open(self._file.fileno(), "rb", closefd=False) as reader:
            for line in reader:
                try:
                    row = decode_row(line)
                except ValueError:
                    break
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                yield row
        self._file.truncate(end)

    def append(self, row: Row) -> None:
        """Write one row; from then on only a fault of the machine can lose it."""
        line = encode_row(row)
        written = os.write(self._file.fileno(), line)
        if written != len(line):
            raise OSError(28, "the disk is full", self._file.name)

    def clear(self) -> None:
        """Forget all rows: a part holds them now."""
        self._file.truncate(0)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
