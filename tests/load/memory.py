"""What a server and the processes that it started hold in memory, together, and the most that they held meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.02
FORGET_PEAK = "5"  # proc_pid_clear_refs(5): sets the most that a process held back to what it holds


@dataclass(slots=True)
class Watch:
    """`most_bytes`: sum over the living processes of the most that each held since the watch began.

    Pages that processes share count for each. A process that ends counts until then, and a peak between two samples is
    not missed, as the kernel keeps it.
    """

    most_bytes: int = 0


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for parent in found:
        try:
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:  # it has just ended
            continue
    return found


def resident_bytes(pid: int) -> int:
    """What the family holds now."""
    return sum(_field(member, "VmRSS:") for member in family(pid))


def _field(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)


@contextmanager
def watch(pid: int) -> Iterator[Watch]:
    """Look at the family while the body runs."""
    for member in family(pid):
        Path(f"/proc/{member}/clear_refs").write_text(FORGET_PEAK)
    seen, over = Watch(), threading.Event()

    def look() -> None:
        while True:
            seen.most_bytes = max(seen.most_bytes, sum(_field(member, "VmHWM:") for member in family(pid)))
            if over.wait(SAMPLE_S):
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
