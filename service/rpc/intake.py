"""Messages on their way in. gRPC holds each whole before it can be accounted for, so few may arrive at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from service.errors import QueueFull, ServiceError
from service.settings import Settings

MIN_PLACES = 4
PATIENCE_S = 5.0
"""Whoever has waited so long for a place gets that of the message that has been arriving longest, and as long."""


class StreamPlace:
    """An open stream's place, which it may lose while it has nothing under way; `give_up` ends it.

    Attributes:
        rests_since_s: since when it has nothing under way; the event loop's time.
    """

    def __init__(self, give_up: Callable[[ServiceError], None]) -> None:
        self.give_up = give_up
        self.rests_since_s = asyncio.get_running_loop().time()
        self._under_way = 0

    @property
    def rests(self) -> bool:
        """Whether it has nothing under way."""
        return not self._under_way

    @contextmanager
    def work(self) -> Iterator[None]:
        """Something of the stream is under way: a message that was read, or an item."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self.rests_since_s = asyncio.get_running_loop().time()


class Intake:
    """As many messages arrive at once as fit into `max_pending_bytes`, and as many streams are open.

    What a call sends before it has a place stays in the transport's window, 64 KiB for each call.
    """

    def __init__(self, settings: Settings, patience_s: float = PATIENCE_S) -> None:
        self.places = max(MIN_PLACES, settings.max_pending_bytes // settings.max_body_bytes)
        self._free = asyncio.Semaphore(self.places)
        self._reading: dict[object, tuple[float, Callable[[ServiceError], None]]] = {}
        self._patience_s = patience_s
        self._rest_ms = settings.read_timeout_ms
        self._streams: set[StreamPlace] = set()

    @asynccontextmanager
    async def message(self, give_up: Callable[[ServiceError], None]) -> AsyncIterator[None]:
        """A place for a message to arrive in; `give_up` ends the call when it is slow while others wait."""
        if self._free.locked():
            await self._wait()
        else:
            await self._free.acquire()
        key = object()
        self._reading[key] = asyncio.get_running_loop().time(), give_up
        try:
            yield
        finally:
            del self._reading[key]
            self._free.release()

    async def _wait(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._patience_s):
                    await self._free.acquire()
                    return
            except TimeoutError:
                self._end_slowest()

    def _end_slowest(self) -> None:
        """The first in the books has been arriving longest."""
        since_s, give_up = next(iter(self._reading.values()), (float("inf"), None))
        if give_up is not None and asyncio.get_running_loop().time() - since_s >= self._patience_s:
            give_up(QueueFull("the message came slowly while others waited for its place", limit=self.places))

    @contextmanager
    def stream(self, give_up: Callable[[ServiceError], None]) -> Iterator[StreamPlace]:
        """A place for a stream, which may have a message on its way at any time.

        Raises:
            QueueFull: there are as many streams as there may be, and none has rested for `read_timeout_ms`.
        """
        if len(self._streams) >= self.places:
            self._end_idlest()
        place = StreamPlace(give_up)
        self._streams.add(place)
        try:
            yield place
        finally:
            self._streams.discard(place)

    def _end_idlest(self) -> None:
        """Its place is free at once: a stream at rest holds nothing that would have to be given back first."""
        resting = [place for place in self._streams if place.rests]
        idlest = min(resting, key=lambda place: place.rests_since_s, default=None)
        now_s = asyncio.get_running_loop().time()
        if idlest is None or now_s - idlest.rests_since_s < self._rest_ms / 1000:
            raise QueueFull("as many streams as may be are open", limit=self.places, actual=len(self._streams))
        self._streams.remove(idlest)
        detail = f"nothing came for {self._rest_ms} ms, and another stream needs the place"
        idlest.give_up(QueueFull(detail, limit=self.places))
