"""How much work the service takes on at once: items and body bytes, refused before they are materialised."""

from __future__ import annotations

from service.context import RequestContext
from service.errors import QueueFull


class Admission:
    """Counts what every accepted request holds until it is answered."""

    def __init__(self, *, max_items: int, max_bytes: int) -> None:
        self._max_items, self._max_bytes = max_items, max_bytes
        self.items = 0
        self.bytes = 0

    def take_items(self, context: RequestContext, count: int) -> None:
        """Account for `count` more items of a request.

        Raises:
            QueueFull: there is no room for them.
        """
        if self.items + count > self._max_items:
            raise QueueFull("the queue is full", limit=self._max_items, actual=self.items)
        self.items += count
        context.held_items += count

    def take_bytes(self, context: RequestContext, count: int) -> None:
        """Account for `count` more body bytes of a request.

        Raises:
            QueueFull: the bodies at work hold too much memory already.
        """
        if self.bytes + count > self._max_bytes:
            raise QueueFull("too many bytes of request bodies are at work", limit=self._max_bytes, actual=self.bytes)
        self.bytes += count
        context.held_bytes += count

    def release(self, context: RequestContext) -> None:
        """Give back all that a request holds."""
        self.items -= context.held_items
        self.bytes -= context.held_bytes
        context.held_items = context.held_bytes = 0
