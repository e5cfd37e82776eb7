"""A stream with threads: items are read in the caller's, a bounded number of them ahead of what was taken."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Protocol

from onepeace_client.answers import Embedding
from onepeace_client.batches import Answered, Batch
from onepeace_client.errors import DeadlineExceeded
from onepeace_client.stream import Stream
from onepeace_client.sync_driver import SyncDriver

Pending = Future[list[Answered]]


class Lane(Protocol):
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

    def close(self, unfinished: bool) -> None:
        """Let go of all; `unfinished`: there is something that nobody wants any more."""
        ...


class RequestLane:
    """Batches as requests of their own."""

    def __init__(self, driver: SyncDriver, concurrency: int, stream: Stream) -> None:
        self._driver, self._stream, self._stop = driver, stream, threading.Event()
        self._running: set[Pending] = set()
        self.ahead = 2 * concurrency

    def submit(self, batch: Batch) -> Pending:
        """As `Lane.submit`."""
        future = self._driver.submit(self._stream.embed(batch), self._stop)
        self._running = {one for one in self._running if not one.done()} | {future}
        return future

    def finish(self) -> None:
        """As `Lane.finish`."""

    def close(self, unfinished: bool) -> None:  # noqa: ARG002 (it gives up whatever is there)
        """As `Lane.close`."""
        self._stop.set()
        for future in self._running:
            future.cancel()
        wait(self._running)


def embed_in_order(stream: Stream, items: Iterable[Any], lane: Lane) -> Generator[Embedding]:
    """Answers in the order of the items; an error comes after the answers to all items before it."""
    waiting: deque[tuple[Batch, Pending]] = deque()
    batches, failure = _batches(stream, items), None
    try:
        while True:
            try:
                batch = next(batches, None)
            except Exception as error:
                failure = error
                break
            if batch is None:
                break
            waiting.append((batch, lane.submit(batch)))
            while waiting and (waiting[0][1].done() or _is_full(waiting, lane.ahead, stream.ahead_bytes)):
                yield from _taken(stream, waiting)
        lane.finish()
        while waiting:
            yield from _taken(stream, waiting)
    finally:
        lane.close(unfinished=bool(waiting))
    if failure is not None:
        raise failure


def _batches(stream: Stream, items: Iterable[Any]) -> Iterator[Batch]:
    failure: Exception | None = None
    try:
        for item in items:
            if (full := stream.add(item)) is not None:
                yield full
    except Exception as error:
        failure = error
    if (rest := stream.rest()) is not None:
        yield rest
    if failure is not None:
        raise failure


def _is_full(waiting: deque[tuple[Batch, Pending]], ahead: int, ahead_bytes: int) -> bool:
    return len(waiting) >= ahead or sum(batch.size for batch, _ in waiting) >= ahead_bytes


def _taken(stream: Stream, waiting: deque[tuple[Batch, Pending]]) -> Iterator[Embedding]:
    timeout_s = stream.exchange.timeout_s
    try:
        answered = waiting[0][1].result(timeout_s)
    except FutureTimeoutError:
        raise DeadlineExceeded(f"no answer within {timeout_s:.3g} s") from None
    waiting.popleft()
    return stream.embeddings(answered)
