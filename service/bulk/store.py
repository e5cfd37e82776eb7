"""What a job keeps on disk: its record, the list of files, the journal, the parts. It tells what is done already.

    OUT/  part-<first row>.parquet …  _job.json  _files.jsonl  _journal.jsonl

With `OUT.parquet`, all this lies in `OUT.parquet.parts/` until the one file is made of it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import orjson

from service import __version__
from service.bulk.embedder import Identity
from service.bulk.entry import Entry
from service.bulk.errors import StoreError
from service.bulk.journal import Journal
from service.bulk.record import FILES, NEW_FILES, NEW_RECORD, RECORD, agree
from service.bulk.row import Row
from service.bulk.sources.protocol import Source, Stamp
from service.bulk.table import (
    merge_parts,
    metadata_of,
    parts_of,
    read_part,
    table_schema,
    to_table,
    write_part,
)

JOURNAL, TEMPORARY = "_journal.jsonl", "_part.tmp"
TEMPORARIES = NEW_RECORD, NEW_FILES, TEMPORARY
RUNS = "_run-*"
"""Folders in which workers of one run write: when it is gone, a worker that outlived its run can't finish a part."""


class Store:
    """The output of one job; `done_rows` and `failed_rows` count what stands in parts or in the journal.

    Raises (on creation):
        StoreError: the output belongs to another job, is being written by one, or can't be written.
        SourceError: the source can't be read.
    """

    def __init__(self, out: Path, source: Source, identity: Identity, *, restart: bool, rows_per_part: int) -> None:
        self._one_file = out if out.suffix.lower() == ".parquet" else None
        self.folder = out if self._one_file is None else out.with_name(out.name + ".parts")
        self._rows_per_part = rows_per_part
        try:
            self._lock = self._begin(restart)
            self.record = agree(self.folder, self._one_file, source, identity)
            metadata = {"model": identity.model, "fingerprint": identity.fingerprint}
            metadata |= {"dimensions": str(identity.dimensions), "version": __version__}
            self.schema = table_schema(
                identity.dimensions,
                {f"onepeace.{key}": value for key, value in metadata.items()}
                | {"onepeace.job": orjson.dumps(self.record).decode()},
            )
            self.is_finished = self._one_file is not None and self._one_file.exists()
            self._done = bytearray()
            self.done_rows = self.failed_rows = 0
            for part in [self._one_file] if self.is_finished and self._one_file else parts_of(self.folder):
                rows, failed = read_part(part)
                self._mark(rows)
                self.failed_rows += failed
            self._journal = Journal(self.folder / JOURNAL)
        except OSError as error:
            raise StoreError(f"{out}: {error.strerror or error}") from error
        except StoreError:
            with suppress(OSError):  # nothing is in it, so we made it
                self.folder.rmdir()
            raise
        self._waiting = [row for row in self._journal.rows if not self.has(row.row)]
        self._mark(row.row for row in self._waiting)
        self.failed_rows += sum(row.failure is not None for row in self._waiting)

    def has(self, row: int) -> bool:
        """Whether a row is done."""
        return row < len(self._done) and self._done[row] == 1

    def missing(self, source: Source) -> Iterator[Entry]:
        """The source's entries that are not done, in its order."""
        return (entry for entry in source.entries(self.files()) if not self.has(entry.row))

    def files(self) -> Iterator[Stamp]:
        """The source's files as they were when the job began."""
        with open(self.folder / FILES, encoding="ascii") as lines:
            for line in lines:
                yield Stamp.of_line(line)

    def add(self, row: Row) -> None:
        """Keep a row that was done: after this, no kill of the process can lose it.

        Raises:
            StoreError: the disk did not take it.
        """
        try:
            self._journal.append(row)
            self._mark([row.row])
            self._waiting.append(row)
            self.failed_rows += row.failure is not None
            if len(self._waiting) >= self._rows_per_part:
                self._write_waiting()
        except OSError as error:
            raise StoreError(f"{self.folder}: {error.strerror or error}") from error

    def count_written(self, rows: Iterable[int], failed: int) -> None:
        """Take note of a part that another process wrote into the folder."""
        self._mark(rows)
        self.failed_rows += failed

    def finish(self) -> None:
        """All rows are done: the last part, the one file, and nothing left that was only for the work.

        Raises:
            StoreError: the disk did not take it.
        """
        try:
            if self._waiting:
                self._write_waiting()
            if not self.done_rows and not parts_of(self.folder):
                write_part(to_table([], self.schema), self.folder, TEMPORARY)
            if self._one_file is not None and not self.is_finished:
                merge_parts(parts_of(self.folder), self._one_file, self.schema)
            self.close()
            (self.folder / JOURNAL).unlink(missing_ok=True)
            if self._one_file is not None:
                shutil.rmtree(self.folder)
        except OSError as error:
            raise StoreError(f"{self.folder}: {error.strerror or error}") from error

    def close(self) -> None:
        """Let go of the files; the work can go on later."""
        self._journal.close()
        with suppress(OSError):
            os.close(self._lock)
        self._lock = -1

    def _begin(self, restart: bool) -> int:
        """The folder, ours alone from now on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise StoreError(f"{self.folder} is being written by another job") from error
        except OSError:  # a file system without locks
            pass
        known = (self.folder / RECORD).exists()
        if restart and self._one_file is not None and self._one_file.exists():
            metadata_of(self._one_file)
            self._one_file.unlink()
        strangers = (path for path in self.folder.iterdir() if not path.name.startswith("_"))
        if not known and self._one_file is None and any(strangers):
            raise StoreError(f"{self.folder} is not empty, and no job of this kind wrote it")
        if restart:
            for path in [*parts_of(self.folder), *(self.folder / name for name in (JOURNAL, RECORD, FILES))]:
                path.unlink(missing_ok=True)
        for pattern in TEMPORARIES:
            for path in self.folder.glob(pattern):
                path.unlink()
        for path in self.folder.glob(RUNS):
            retire_run(path)
        return lock

    def _write_waiting(self) -> None:
        write_part(to_table(self._waiting, self.schema), self.folder, TEMPORARY)
        self._waiting = []
        self._journal.clear()

    def _mark(self, rows: Iterable[int]) -> None:
        for row in rows:
            if row >= len(self._done):
                self._done.extend(bytes(max(row + 1, 2 * len(self._done), 1024) - len(self._done)))
            self.done_rows += 1 - self._done[row]
            self._done[row] = 1


def retire_run(folder: Path) -> None:
    """Remove a run's folder: first its name, at once, so that nobody who writes there can give a part its name."""
    dead = folder.with_name(f"_dead-{uuid4().hex}")
    folder.rename(dead)
    shutil.rmtree(dead, ignore_errors=True)
