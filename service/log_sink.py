"""Where log lines go: a bounded buffer that a thread of its own writes, so that a full disk or pipe stops nobody."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable

MOST_BYTES = 8 * 1024 * 1024
FLUSH_S = 0.05
CLOSE_S = 1.0
"""How long the end of the process waits for a reader that does not read."""


class LogSink:
    """Writes lines to a file descriptor, in order, at most `FLUSH_S` later.

    `on_drop` is told how many lines were lost: the buffer was full, or the system refused them.
    """

    def __init__(self, descriptor: int, on_drop: Callable[[int], None]) -> None:
        self._descriptor, self._on_drop = descriptor, on_drop
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._due, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Take one line with its end; returns at once."""
        if self._size + len(line) > MOST_BYTES:
            self._on_drop(1)
            return
        self._size += len(line)
        self._lines.append(line)
        if not self._due.is_set():
            self._due.set()

    def close(self) -> None:
        """Write what is left."""
        self._closing.set()
        self._due.set()
        self._thread.join(CLOSE_S)

    def _work(self) -> None:
        while not self._closing.is_set() or self._lines:
            self._due.wait()
            self._closing.wait(FLUSH_S)
            self._due.clear()
            lines = []
            while self._lines:
                lines.append(self._lines.popleft())
            try:
                _write_all(self._descriptor, b"".join(lines))
            except OSError:
                self._on_drop(len(lines))
            self._size = sum(map(len, self._lines))


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
