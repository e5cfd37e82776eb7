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
    """Files and sockets that the server and its decoders have open now."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in family(server.process.pid))


def resident_bytes(server: LiveServer) -> int:
    """Memory of the server and its decoders; what they share counts for each."""
    pages = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in family(server.process.pid))
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    return [pid, *(one for child in children for one in family(child))]
