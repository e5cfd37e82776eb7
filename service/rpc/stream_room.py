"""Bytes of the messages that all streams together hold."""

from __future__ import annotations

from service.context import RequestContext
from service.errors import QueueFull
from service.runtime import Runtime


class StreamRoom:
    """At most half of `max_pending_bytes`.

    The other half is there for what items decode to, and for other callers: streams that fill the whole would wait
    for each other for ever.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._admission, self._budget, self._held = runtime.admission, runtime.settings.max_pending_bytes // 2, 0

    async def take(self, context: RequestContext, size: int) -> None:
        """Wait until there is room for a message, and hold it."""
        size = min(size, self._budget)
        while not self._took(context, size):
            await self._admission.changed()

    def _took(self, context: RequestContext, size: int) -> bool:
        if self._held + size > self._budget:
            return False
        try:
            self._admission.take(context, num_bytes=size)
        except QueueFull:
            return False
        self._held += size
        return True

    def give_back(self, context: RequestContext) -> None:
        """The message's items are done, or given up."""
        self._held -= context.held_bytes
        self._admission.release(context)
