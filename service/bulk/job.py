"""One stream of entries to rows: content is read ahead of the engine, within bounds, and rows are kept as they come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from service.bulk.embedder import BulkEmbedder, Identity
from service.bulk.entry import Entry, Failure
from service.bulk.errors import EngineGone
from service.bulk.gate import Gate
from service.bulk.loader import load
from service.bulk.row import Answer, Row, finished
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
    """Embeds entries and hands each row to `keep`, on the event loop, in the order in which they end."""

    def __init__(
        self, embedder: BulkEmbedder, identity: Identity, keep: Callable[[Row], None], patience_s: float = PATIENCE_S
    ) -> None:
        self._embedder, self._limits, self._keep, self._patience_s = embedder, identity.limits, keep, patience_s
        self._readers = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read")
        self._lister = ThreadPoolExecutor(1, thread_name_prefix="list")
        window = embedder.window()
        self._batch_items, self._batch_bytes = window.batch_items, window.batch_bytes
        self._gate = Gate(window.calls * window.batch_items, window.max_bytes)
        self._calls = asyncio.Semaphore(window.calls)
        self._answered_s = 0.0

    async def run(self, entries: Iterator[Entry]) -> None:
        """Embed all entries, which are taken from the iterator in a thread, not faster than they can be embedded.

        Raises:
            BulkError: the source, the disk or the engine failed for good; what was kept stays kept.
        """
        self._answered_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as tasks:
                async for batch in self._batches(entries):
                    tasks.create_task(self._embed(batch))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            self._readers.shutdown(wait=False, cancel_futures=True)
            self._lister.shutdown(wait=False, cancel_futures=True)

    async def _batches(self, entries: Iterator[Entry]) -> AsyncIterator[list[Entry]]:
        """Entries in calls, each let through the gate; a call goes out early rather than wait half full."""
        batch: list[Entry] = []
        size = 0
        loop = asyncio.get_running_loop()
        while some := await loop.run_in_executor(self._lister, list, islice(entries, ENTRIES_AT_ONCE)):
            for entry in some:
                is_full = len(batch) == self._batch_items or size + entry.size > self._batch_bytes
                if batch and (is_full or not self._gate.has_room(entry.size)):
                    yield batch
                    batch, size = [], 0
                await self._gate.enter(entry.size)
                batch.append(entry)
                size += entry.size
        if batch:
            yield batch

    async def _embed(self, batch: Sequence[Entry]) -> None:
        try:
            async with self._calls:
                loaded = await asyncio.gather(*(self._load(entry) for entry in batch))
                items = [item for item in loaded if not isinstance(item, Failure)]
                answers = iter(await self._ask(items) if items else [])
            for entry, item in zip(batch, loaded, strict=True):
                if isinstance(item, Failure):
                    self._keep(finished(entry, None, item))
                else:
                    self._keep(finished(entry, modality(item), next(answers)))
        finally:
            for entry in batch:
                self._gate.leave(entry.size)

    async def _load(self, entry: Entry) -> MediaItem | Failure:
        if entry.file is None:
            return load(entry, self._limits)
        return await asyncio.get_running_loop().run_in_executor(self._readers, load, entry, self._limits)

    async def _ask(self, items: Sequence[MediaItem]) -> list[Answer | Failure]:
        loop = asyncio.get_running_loop()
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                answers = await self._embedder.embed(items)
            except EngineFailure as error:
                return [Failure(error.code, error.detail)] * len(items)
            except Unavailable as error:
                if loop.time() - self._answered_s > self._patience_s:
                    raise EngineGone(f"no answer for {self._patience_s:g} s: {error.detail}") from error
                logger.debug("waiting %.2f s: %s", pause_s, error.detail)
            else:
                self._answered_s = loop.time()
                return answers
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
