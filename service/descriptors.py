"""The files and connections that the process may have open: the limit is raised at start, and watched.

Without a free descriptor libuv resets each new connection and tells nobody; the log should.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource

logger = logging.getLogger(__name__)

WANTED_DESCRIPTORS = 4096
"""Enough for the connections of many callers, few enough that what idle ones hold (some KiB each) is no matter."""
FEW = 16
LOOK_S, TELL_AGAIN_S = 2.0, 10.0


def raise_limit() -> None:
    """Have up to `WANTED_DESCRIPTORS`, as far as the hard limit lets; a higher limit stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(WANTED_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def watch_descriptors() -> None:
    """Warn while hardly any descriptor is left, every `TELL_AGAIN_S`. Runs until it is cancelled."""
    while True:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        used = _used_at_least(limit)
        is_short = limit != resource.RLIM_INFINITY and used + min(FEW, limit // 8) >= limit
        if is_short:
            logger.warning(
                "%d or more of %d descriptors (RLIMIT_NOFILE) are in use: without a free one, "
                "new connections are reset",
                used,
                limit,
            )
        await asyncio.sleep(TELL_AGAIN_S if is_short else LOOK_S)


def _used_at_least(limit: int) -> int:
    """The kernel gives the lowest free number: all below it are in use."""
    try:
        number = os.open(os.devnull, os.O_RDONLY)
    except OSError:  # none is left, here or in the system
        return limit
    os.close(number)
    return number
