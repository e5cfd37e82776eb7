"""What a source promises: the same rows in the same order, lazily, as long as its files are the same."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from service.bulk.entry import Entry, unreadable


@dataclass(frozen=True, slots=True)
class Stamp:
    """A file as it was when the job began. `fault` says why it can't be read; size and time are then −1."""

    path: str
    size: int = -1
    mtime_ns: int = -1
    fault: str | None = None

    def line(self) -> str:
        """One line of JSON, in ASCII whatever bytes the path holds, without its line break."""
        return json.dumps([self.path, self.size, self.mtime_ns, self.fault])

    @classmethod
    def of_line(cls, line: str) -> Stamp:
        """The stamp of such a line."""
        return cls(*json.loads(line))

    @classmethod
    def of_file(cls, path: str) -> Stamp:
        """Look at a file."""
        try:
            status = os.stat(path)
        except (OSError, ValueError) as error:
            return cls(path, fault=unreadable(error).detail if isinstance(error, OSError) else "not a path")
        return cls(path, status.st_size, status.st_mtime_ns)


class Source(Protocol):
    """One source. `options` name it and how it is read: what must be the same for a job to go on."""

    options: Mapping[str, str | None]

    def files(self) -> Iterator[Stamp]:
        """The files that fix the rows: what is written down at the start, and compared when the job goes on.

        Raises:
            SourceError: there is none, or it can't be read.
        """

    def entries(self, files: Iterable[Stamp]) -> Iterator[Entry]:
        """The rows of those files, in order, numbered from 0.

        Raises:
            SourceError: a file is not what it should be.
        """

    def count(self, files: Iterable[Stamp]) -> int | None:
        """How many rows there will be; None where only reading tells."""
