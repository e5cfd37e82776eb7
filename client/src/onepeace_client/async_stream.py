"""A stream on asyncio's event loop: items are read in one task, a bounded number of them ahead of what was taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from typing import Any, Protocol

from onepeace_client.answers import Embedding
from onepeace_client.async_driver import AsyncDriver
from onepeace_client.batches import Answered, Batch
from onepeace_client.errors import DeadlineExceeded
from onepeace_client.stream import Stream

Pending = asyncio.Future[list[Answered]]


class AsyncLane(Protocol):
    """Carries a stream's batches, several at once.

    Attributes:
        ahead: batches that are under way at most, or answered and not yet taken.
    """

    ahead: int

    def submit(self, batch: Batch) -> Pending:
        """Send a batch."""
        ...

    def finish(self) -> None:
        """No more batches will come."""
        ...

    async def close(self, unfinished: bool) -> None:
        """Let go of all; `unfinished`: there is something that nobody wants any more."""
        ...


class AsyncRequestLane:
    """Batches as requests of their own."""

    def __init__(self, driver: AsyncDriver, concurrency: int, stream: Stream) -> None:
        self._driver, self._stream, self._room = driver, stream, asyncio.Semaphore(concurrency)
        self._running: set[Pending] = set()
        self.ahead = 2 * concurrency

    def submit(self, batch: Batch) -> Pending:
        """As `AsyncLane.submit`."""
        task = asyncio.create_task(self._embed(batch))
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def finish(self) -> None:
        """As `AsyncLane.finish`."""

    async def close(self, unfinished: bool) -> None:  # noqa: ARG002 (it gives up whatever is there)
        """As `AsyncLane.close`."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _done(self, task: Pending) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # of those that nobody waits for any more, asyncio would complain

    async def _embed(self, batch: Batch) -> list[Answered]:
        async with self._room:
            return await self._driver.run(self._stream.embed(batch))


class _Feed:
    """Reads items and submits them while there is room; `waiting` ends with None."""

    def __init__(self, stream: Stream, items: Iterable[Any] | AsyncIterable[Any], lane: AsyncLane) -> None:
        self._stream, self._items, self._lane = stream, items, lane
        self._batches, self._bytes, self._taken = 0, 0, asyncio.Event()
        self.waiting: asyncio.Queue[tuple[Batch, Pending] | None] = asyncio.Queue()

    async def run(self) -> None:
        """Submit all; the error of an item is raised when those before it are submitted."""
        failure: Exception | None = None
        try:
            try:
                async for item in _each(self._items):
                    if (full := await asyncio.to_thread(self._stream.add, item)) is not None:
                        await self._submit(full)
            except Exception as error:
                failure = error
            if (rest := self._stream.rest()) is not None:
                await self._submit(rest)
            self._lane.finish()
        finally:
            self.waiting.put_nowait(None)
        if failure is not None:
            raise failure

    def take(self, batch: Batch) -> None:
        """A batch's answers are taken, so that there is room again."""
        self._batches, self._bytes = self._batches - 1, self._bytes - batch.size
        self._taken.set()

    async def _submit(self, batch: Batch) -> None:
        while self._batches >= self._lane.ahead or self._bytes >= self._stream.ahead_bytes:
            self._taken.clear()
            await self._taken.wait()
        self._batches, self._bytes = self._batches + 1, self._bytes + batch.size
        self.waiting.put_nowait((batch, self._lane.submit(batch)))


async def embed_in_order(
    stream: Stream, items: Iterable[Any] | AsyncIterable[Any], lane: AsyncLane
) -> AsyncGenerator[Embedding]:
    """Answers in the order of the items; an error comes after the answers to all items before it."""
    timeout_s = stream.exchange.timeout_s
    feed = _Feed(stream, items, lane)
    feeding = asyncio.create_task(feed.run())
    unfinished = True
    try:
        while (entry := await feed.waiting.get()) is not None:
            batch, pending = entry
            try:
                answered = await asyncio.wait_for(pending, timeout_s)
            except asyncio.TimeoutError:
                raise DeadlineExceeded(f"no answer within {timeout_s:.3g} s") from None
            feed.take(batch)
            for embedding in stream.embeddings(answered):
                yield embedding
        unfinished = False
    finally:
        if unfinished:
            feeding.cancel()
        await lane.close(unfinished)
        await asyncio.wait([feeding])
    feeding.result()


async def _each(items: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
