"""How much work the service takes on at once: items and body bytes, refused before they are materialised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from service.errors import BytesFull, QueueFull


class Holder(Protocol):
    """Who holds room until it is released: a request, or a part of one that ends earlier."""

    held_bytes: int
    held_items: int


@dataclass(slots=True)
class Held:
    """A holder and nothing else."""

    held_bytes: int = 0
    held_items: int = 0


class Admission:
    """Counts what every accepted request holds until it is answered."""

    def __init__(self, *, max_items: int, max_bytes: int) -> None:
        self._max_items, self._max_bytes = max_items, max_bytes
        self.items = 0
        self.bytes = 0

    def check_room(self) -> None:
        """Make sure that there is room for one item: without it, a body isn't worth being read.

        Raises:
            QueueFull: there is none.
        """
        if self.items >= self._max_items:
            raise QueueFull("the queue is full", limit=self._max_items, actual=self.items)

    def take_items(self, holder: Holder, count: int) -> None:
        """Account for `count` more items.

        Raises:
            QueueFull: there is no room for them.
        """
        if self.items + count > self._max_items:
            raise QueueFull("the queue is full", limit=self._max_items, actual=self.items)
        self.items += count
        holder.held_items += count

    def take_bytes(self, holder: Holder, count: int) -> None:
        """Account for `count` more bytes of bodies and fetched files.

        Raises:
            BytesFull: what is at work holds too much memory already.
        """
        if self.bytes + count > self._max_bytes:
            raise BytesFull("too many bytes of request bodies are at work", limit=self._max_bytes, actual=self.bytes)
        self.bytes += count
        holder.held_bytes += count

    def give_bytes(self, holder: Holder, count: int) -> None:
        """Give back `count` of the bytes that are held."""
        self.bytes -= count
        holder.held_bytes -= count

    def release(self, holder: Holder) -> None:
        """Give back all that is held."""
        self.items -= holder.held_items
        self.bytes -= holder.held_bytes
        holder.held_items = holder.held_bytes = 0
