"""How much work the service takes on at once: items and bytes, refused before they are materialised."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from service.context import RequestContext
from service.errors import BytesFull, InvalidRequest, QueueFull, TooManyItems
from service.pace import Pace


class Holder(Protocol):
    """Who holds room until it is released: a request, or a part of one that ends earlier.

    `shared_bytes` are held by others for it, and stay as long as it does: a stream's message, fetched files.
    """

    held_bytes: int
    held_items: int

    @property
    def shared_bytes(self) -> int:
        """See above."""
        ...


class Demand(NamedTuple):
    """What something needs to be worked on."""

    items: int
    num_bytes: int


class Admission:
    """Counts what every accepted request holds until it is answered."""

    def __init__(self, *, max_items: int, max_bytes: int, max_wait_s: float = math.inf) -> None:
        self._max_items, self._max_bytes, self._max_wait_s = max_items, max_bytes, max_wait_s
        self._pace = Pace()
        self._waiters: list[asyncio.Future[None]] = []
        self.items = 0
        self.bytes = 0

    def check_room(self) -> None:
        """Make sure that a newcomer would be worked on soon: if not, its body isn't worth being read.

        Raises:
            QueueFull: there is no room for one item, or those at work will take longer than `max_wait_s`.
        """
        if self.items >= self._max_items:
            raise QueueFull("the queue is full", limit=self._max_items, actual=self.items)
        self._pace.tell(self.items)
        wait_s = self._pace.wait_s(self.items)
        if wait_s > self._max_wait_s:
            detail = "the work that waits would take too many milliseconds"
            error = QueueFull(detail, limit=round(self._max_wait_s * 1000), actual=round(wait_s * 1000))
            error.retry_after_s = math.ceil(wait_s - self._max_wait_s)
            raise error

    def take(self, holder: Holder, *, items: int = 0, num_bytes: int = 0) -> None:
        """Account for more items, and for bytes of bodies, fetched files and decoded inputs: for all or for nothing.

        Raises:
            InvalidRequest: with them the holder alone would hold more than there is room for.
            QueueFull: there is no room for them now.
        """
        self._refuse_what_never_fits(holder.held_items + items, holder.held_bytes + holder.shared_bytes + num_bytes)
        if self.items + items > self._max_items:
            raise QueueFull("the queue is full", limit=self._max_items, actual=self.items)
        if self.bytes + num_bytes > self._max_bytes:
            detail = "the bodies, files and decoded inputs at work hold too many bytes"
            raise BytesFull(detail, limit=self._max_bytes, actual=self.bytes)
        self._pace.tell(self.items)
        self.items += items
        self.bytes += num_bytes
        holder.held_items += items
        holder.held_bytes += num_bytes

    def give(self, holder: Holder, *, items: int = 0, num_bytes: int = 0) -> None:
        """Give back some of what is held."""
        self._pace.tell(self.items, items)
        self.items -= items
        self.bytes -= num_bytes
        holder.held_items -= items
        holder.held_bytes -= num_bytes
        self._wake()

    def release(self, holder: Holder) -> None:
        """Give back all that is held."""
        self.give(holder, items=holder.held_items, num_bytes=holder.held_bytes)

    async def changed(self) -> None:
        """Wait until something is given back."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def _refuse_what_never_fits(self, items: int, num_bytes: int) -> None:
        if items > self._max_items:
            detail = "the request's inputs, windows and prompts are more than the service ever has at work"
            raise InvalidRequest([TooManyItems(detail, limit=self._max_items, actual=items)])
        if num_bytes > self._max_bytes:
            detail = "the request and what its inputs decode to take more bytes than the service ever has at work"
            raise InvalidRequest([TooManyItems(detail, limit=self._max_bytes, actual=num_bytes)])


class Room(Protocol):
    """The room of one request, as its use case sees it."""

    @property
    def held_bytes(self) -> int:
        """What the request holds itself."""
        ...

    async def take(self, *, items: int = 0, num_bytes: int = 0) -> None:
        """As `Admission.take`."""

    async def take_ahead(self, num_bytes: int) -> int:
        """Room for what may come at most, where coming again would be a waste; how many bytes were taken."""

    def give(self, *, items: int = 0, num_bytes: int = 0) -> None:
        """As `Admission.give`."""

    def share(self, num_bytes: int) -> None:
        """Another holds so many more bytes (fewer, below 0) for this request."""


@dataclass(frozen=True, slots=True)
class RequestRoom:
    """The room of a request that is refused where there is none: its caller comes again."""

    admission: Admission
    holder: RequestContext

    @property
    def held_bytes(self) -> int:
        """As `Room`."""
        return self.holder.held_bytes

    def give(self, *, items: int = 0, num_bytes: int = 0) -> None:
        """As `Room`."""
        self.admission.give(self.holder, items=items, num_bytes=num_bytes)

    def share(self, num_bytes: int) -> None:
        """As `Room`."""
        self.holder.shared_bytes += num_bytes

    async def take(self, *, items: int = 0, num_bytes: int = 0) -> None:
        """As `Admission.take`, and the items are charged to the caller's key.

        Raises:
            RateLimited, Unauthenticated, Forbidden: see `Caller.charge_items`.
        """
        self.admission.take(self.holder, items=items, num_bytes=num_bytes)
        self.holder.charge_up_to(self.holder.held_items)

    async def take_ahead(self, num_bytes: int) -> int:  # noqa: ARG002 (the protocol's)
        """Nothing: what comes is accounted for as it comes."""
        return 0


@dataclass(frozen=True, slots=True)
class WaitingRoom(RequestRoom):
    """The room of a stream's item, which waits its turn instead of being refused.

    Whoever waits holds nothing, else all might wait for each other.

    Attributes:
        turn: held by the first that waits; the others stand behind it, in the order in which they came.
        placed: told whenever something was taken.
    """

    turn: asyncio.Lock
    placed: Callable[[], None]

    async def take(self, *, items: int = 0, num_bytes: int = 0) -> None:
        """As `RequestRoom.take`, but waits where there is no room. The key's rate slows the stream, not the item.

        Raises:
            InvalidRequest: there never will be room.
            Unauthenticated, Forbidden: see `Caller.charge_items`.
        """
        self.holder.charge_up_to(self.holder.held_items + items, in_debt=True)
        is_first = not self.holder.held_items
        if (is_first and self.turn.locked()) or not self._took(items, num_bytes):
            items, num_bytes = items + self.holder.held_items, num_bytes + self.holder.held_bytes
            self.admission.release(self.holder)
            async with self.turn:
                while not self._took(items, num_bytes):
                    await self.admission.changed()
        self.placed()

    def _took(self, items: int, num_bytes: int) -> bool:
        try:
            self.admission.take(self.holder, items=items, num_bytes=num_bytes)
        except QueueFull:
            return False
        return True

    async def take_ahead(self, num_bytes: int) -> int:
        """Takes them, waiting as `take` does."""
        await self.take(num_bytes=num_bytes)
        return num_bytes


@dataclass(frozen=True, slots=True)
class _Unaccounted:
    """The room of callers who serve nobody else: commands and measurements."""

    held_bytes: int = 0

    async def take(self, *, items: int = 0, num_bytes: int = 0) -> None:
        """There always is room."""

    async def take_ahead(self, num_bytes: int) -> int:  # noqa: ARG002 (the protocol's)
        """Needs none."""
        return 0

    def give(self, *, items: int = 0, num_bytes: int = 0) -> None:
        """Nothing was taken."""

    def share(self, num_bytes: int) -> None:
        """Nobody looks."""


UNACCOUNTED: Room = _Unaccounted()
