"""One bulk job on this machine: entries are read ahead of the engine, within bounds, and rows are kept as they come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from service.bulk.embedder import BulkEmbedder, Identity
from service.bulk.entry import Entry, Failure
from service.bulk.errors import EngineGone
from service.bulk.gate import Gate
from service.bulk.loader import load
from service.bulk.progress import Progress
from service.bulk.row import Answer, Row, finished
from service.bulk.sources.protocol import Source
from service.bulk.store import Store
from service.errors import EngineFailure, Unavailable
from service.usecases.items import MediaItem, modality

logger = logging.getLogger(__name__)

ENTRIES_AT_ONCE = 64
"""Entries taken from the source in one go, because each change of threads costs as much as a few of them."""
READ_THREADS = 8
"""Files read at once; a disk or a network waits, a core hardly."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0
PATIENCE_S = 120.0
"""Seconds without any answer after which an engine that says it is busy or away counts as gone."""


class Job:
    """Runs what a store does not hold yet."""

    def __init__(self, source: Source, store: Store, embedder: BulkEmbedder, identity: Identity) -> None:
        self._source, self._store, self._embedder, self._identity = source, store, embedder, identity
        self._readers = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read")
        self._lister = ThreadPoolExecutor(1, thread_name_prefix="list")
        window = embedder.window()
        self._batch_items, self._batch_bytes = window.batch_items, window.batch_bytes
        self._gate = Gate(window.calls * window.batch_items, window.max_bytes)
        self._calls = asyncio.Semaphore(window.calls)
        self._answered_s = 0.0

    async def run(self, progress: Progress, patience_s: float = PATIENCE_S) -> None:
        """Embed all rows that are missing; the store then holds every row of the source.

        Raises:
            BulkError: the source, the disk or the engine failed for good; what is done stays done.
        """
        self._answered_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as tasks:
                async for batch in self._batches():
                    tasks.create_task(self._embed(batch, progress, patience_s))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            self._readers.shutdown(wait=False, cancel_futures=True)
            self._lister.shutdown(wait=False, cancel_futures=True)

    async def _batches(self) -> AsyncIterator[list[Entry]]:
        """Entries in calls, each let through the gate; a call goes out early rather than wait half full."""
        batch: list[Entry] = []
        size = 0
        async for entry in self._missing():
            is_full = len(batch) == self._batch_items or size + entry.size > self._batch_bytes
            if batch and (is_full or not self._gate.has_room(entry.size)):
                yield batch
                batch, size = [], 0
            await self._gate.enter(entry.size)
            batch.append(entry)
            size += entry.size
        if batch:
            yield batch

    async def _missing(self) -> AsyncIterator[Entry]:
        loop = asyncio.get_running_loop()
        entries = iter(missing_entries(self._source, self._store))
        while some := await loop.run_in_executor(self._lister, list, islice(entries, ENTRIES_AT_ONCE)):
            for entry in some:
                yield entry

    async def _embed(self, batch: Sequence[Entry], progress: Progress, patience_s: float) -> None:
        try:
            async with self._calls:
                loaded = await asyncio.gather(*(self._load(entry) for entry in batch))
                items = [item for item in loaded if not isinstance(item, Failure)]
                answers = await self._ask(items, patience_s) if items else []
            rows = to_rows(batch, loaded, answers)
            for row in rows:
                self._store.add(row)
            progress.add(len(rows), sum(row.failure is not None for row in rows))
        finally:
            for entry in batch:
                self._gate.leave(entry.size)

    async def _load(self, entry: Entry) -> MediaItem | Failure:
        if entry.file is None:
            return load(entry, self._identity.limits)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, load, entry, self._identity.limits)

    async def _ask(self, items: Sequence[MediaItem], patience_s: float) -> list[Answer | Failure]:
        loop = asyncio.get_running_loop()
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                answers = await self._embedder.embed(items)
            except EngineFailure as error:
                return [Failure(error.code, error.detail)] * len(items)
            except Unavailable as error:
                if loop.time() - self._answered_s > patience_s:
                    raise EngineGone(f"no answer for {patience_s:g} s: {error.detail}") from error
                logger.debug("waiting %.2f s: %s", pause_s, error.detail)
            else:
                self._answered_s = loop.time()
                return answers
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def missing_entries(source: Source, store: Store) -> Iterator[Entry]:
    """What the store does not hold yet, in the source's order."""
    return (entry for entry in source.entries(store.files()) if not store.has(entry.row))


def to_rows(
    batch: Sequence[Entry], loaded: Sequence[MediaItem | Failure], answers: Sequence[Answer | Failure]
) -> list[Row]:
    """Each entry's row; `answers` are those of the items that could be loaded."""
    waiting = iter(answers)
    return [
        finished(entry, None, item) if isinstance(item, Failure) else finished(entry, modality(item), next(waiting))
        for entry, item in zip(batch, loaded, strict=True)
    ]
