"""How fast items are finished, and so how long a newcomer would wait behind those at work."""

from __future__ import annotations

import time
from collections.abc import Callable

WINDOW_S = 1.0
"""Busy seconds that a pace is measured over. Idle ones don't count: who has nothing to do is not slow."""
FEWEST_ITEMS = 16
"""As many may always be at work: batches form of them, and a pace seen on fewer says little."""


class Pace:
    """Items finished a second while any are at work, measured anew every `WINDOW_S`.

    Items of all kinds count alike: where a flood of clips follows one of texts, the first window is too hopeful.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since_s = clock()
        self._busy_s = 0.0
        self._finished = 0
        self._items_per_s: float | None = None

    def tell(self, at_work: int, finished: int = 0) -> None:
        """Say at every change how many items were at work until now, and how many of them have just finished."""
        now_s = self._clock()
        if at_work:
            self._busy_s += now_s - self._since_s
        self._since_s = now_s
        self._finished += finished
        if self._finished and self._busy_s >= WINDOW_S:
            self._items_per_s = self._finished / self._busy_s
            self._busy_s, self._finished = 0.0, 0

    def wait_s(self, at_work: int) -> float:
        """Seconds until those at work are finished, at this pace; 0 for a few, and while no pace is known."""
        if at_work <= FEWEST_ITEMS or self._items_per_s is None:
            return 0.0
        return at_work / self._items_per_s
