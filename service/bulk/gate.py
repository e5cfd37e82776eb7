"""Holds back the reading while enough is under way."""

from __future__ import annotations

import asyncio


class Gate:
    """Counts rows and bytes under way, for one producer. A row larger than all bytes passes when nothing else is."""

    def __init__(self, max_rows: int, max_bytes: int) -> None:
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._rows = self._bytes = 0
        self._changed = asyncio.Event()

    def has_room(self, size: int) -> bool:
        """Whether a row of `size` bytes may pass now."""
        return not self._rows or (self._rows < self._max_rows and self._bytes + size <= self._max_bytes)

    async def enter(self, size: int) -> None:
        """Wait until there is room for a row of `size` bytes, and take it."""
        while not self.has_room(size):
            self._changed.clear()
            await self._changed.wait()
        self._rows += 1
        self._bytes += size

    def leave(self, size: int) -> None:
        """Give the room of such a row back."""
        self._rows -= 1
        self._bytes -= size
        self._changed.set()
