"""What a job keeps on disk: its record, the list of files, the journal, the parts. It tells what is done already.

    OUT/  part-<first row>.parquet …  _job.json  _files.jsonl  _journal.jsonl

With `OUT.parquet`, all this lies in `OUT.parquet.parts/` until the one file is made of it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

from service import __version__
from service.bulk.claim import JOURNAL, TEMPORARY, claim, release
from service.bulk.embedder import Identity
from service.bulk.entry import Entry
from service.bulk.errors import StoreError
from service.bulk.journal import Journal
from service.bulk.record import FILES, Record, agree
from service.bulk.row import Row
from service.bulk.sources.protocol import Source, Stamp
from service.bulk.table import (
    merge_parts,
    parts_of,
    read_part,
    table_schema,
    to_table,
    write_part,
)


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
        self._done = bytearray()
        self.done_rows = self.failed_rows = 0
        try:
            self._lock = claim(self.folder, self._one_file, restart=restart)
            try:
                record = agree(self.folder, self._one_file, source, identity)
                self.schema = table_schema(identity.dimensions, _metadata(identity, record))
                self.is_finished = self._one_file is not None and self._one_file.exists()
                self._waiting = self._read_done()
            except BaseException:
                release(self.folder, self._lock)
                raise
        except OSError as error:
            raise StoreError(f"{out}: {error.strerror or error}") from error

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
            self._journal.close()
            (self.folder / JOURNAL).unlink(missing_ok=True)
            if self._one_file is not None:
                shutil.rmtree(self.folder)  # still locked: nobody may begin in it
            self.close()
        except OSError as error:
            raise StoreError(f"{self.folder}: {error.strerror or error}") from error

    def close(self) -> None:
        """Let go of the files; the work can go on later."""
        self._journal.close()
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def _read_done(self) -> list[Row]:
        """Mark what stands in parts or in the journal; the rows that only the journal has."""
        for part in [self._one_file] if self._one_file is not None and self.is_finished else parts_of(self.folder):
            rows, failed = read_part(part)
            self._mark(rows)
            self.failed_rows += failed
        self._journal = Journal(self.folder / JOURNAL)
        waiting = [row for row in self._journal.rows if not self.has(row.row)]
        self._journal.rows.clear()
        self._mark(row.row for row in waiting)
        self.failed_rows += sum(row.failure is not None for row in waiting)
        return waiting

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


def _metadata(identity: Identity, record: Record) -> dict[str, str]:
    return {
        "onepeace.model": identity.model,
        "onepeace.fingerprint": identity.fingerprint,
        "onepeace.dimensions": str(identity.dimensions),
        "onepeace.version": __version__,
        "onepeace.job": orjson.dumps(record).decode(),
    }
