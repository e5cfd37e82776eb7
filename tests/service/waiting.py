"""Waiting for what must come, in this process or another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE_S = 60.0
"""Far above what a busy machine takes: it passes only if the condition never comes."""


def until(condition: Callable[[], bool], what: str = "") -> None:
    """Ask again and again.

    Raises:
        AssertionError: it did not come; `what` says so.
    """
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.005)


async def until_async(condition: Callable[[], bool]) -> None:
    """As `until`, while the event loop goes on.

    Raises:
        TimeoutError: it did not come.
    """
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)
