"""The decoding processes of a server, as the kernel lists them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tests.service.waiting import until

PATIENCE_S = 20.0  # a crowded machine may take long


def template_of(pid: int) -> int:
    """The one process that workers are forked from."""
    (template,) = [child for child in children(pid) if b"service.decoding.template" in command(child)]
    return template


def workers_of(pid: int) -> list[int]:
    return children(template_of(pid))


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread that has ended since; its children went to another
            found += map(int, (task / "children").read_text().split())
    return found


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def state(pid: int) -> str:
    """The kernel's letter: Z is a zombie, T is stopped; empty for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return ""


def lives(pid: int) -> bool:
    return state(pid) not in ("", "Z")


def processor_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[11])


def open_files(pid: int) -> list[str]:
    """What the descriptors of a process stand for."""
    targets = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):  # the one that lists them
            targets.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return targets


def busy_worker(pid: int, ticks: int = 3) -> int:
    """The worker that is in the middle of a file: it has used so many more hundredths of a second."""
    before = {worker: processor_ticks(worker) for worker in workers_of(pid)}
    found: list[int] = []

    def look() -> bool:
        found[:] = [worker for worker, used in before.items() if processor_ticks(worker) - used >= ticks]
        return bool(found)

    until(look, "no worker is busy")
    return found[0]


def is_whole(pid: int, workers: int) -> bool:
    """Whether so many workers live, and nothing else is left of others."""
    now = workers_of(pid)
    return len(now) == workers and all(map(lives, now))
