"""A real server on cores of its own, where there are two, and what the kernel tells of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server


@contextmanager
def server_apart(repository: Path = REPOSITORY, before: str = "", **settings: object) -> Iterator[LiveServer]:
    """The server on the first half of the cores, this process (which makes the load) on the rest while it runs."""
    mine = sorted(os.sched_getaffinity(0))
    half = len(mine) // 2
    pin = f"import os; os.sched_setaffinity(0, {set(mine[:half])})\n" if half else ""
    with live_server(repository, before=pin + before, **settings) as server:
        if half:
            os.sched_setaffinity(0, set(mine[half:]))
        try:
            yield server
        finally:
            os.sched_setaffinity(0, mine)


def open_descriptors(server: LiveServer) -> int:
    """Files and sockets that the server has open now."""
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))
