"""Rates as token buckets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

ROUNDING = 1e-6
"""Who waits as long as he was told must not find a hair missing."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many per second on average, and `burst` at once after a rest."""

    per_second: float
    burst: float


class Bucket:
    """Fills by `per_second` up to `burst`; starts full.

    Args:
        clock: seconds that never go back.
    """

    __slots__ = ("_clock", "_filled_s", "_left", "rate")

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        self.rate, self._clock = rate, clock
        self._left, self._filled_s = rate.burst, clock()

    def take(self, count: int) -> float:
        """Take `count`, if they are there: 0, or else the seconds after which they will be.

        More than `burst` are given to whoever finds the bucket full, and leave it in debt: a large request is thus
        possible, and the average holds all the same.
        """
        wait_s = self.wait_s(count)
        if not wait_s:
            self._left -= count
        return wait_s

    def owe(self, count: int) -> None:
        """Take `count`, there or not: what is missing is a debt."""
        self._fill()
        self._left -= count

    def wait_s(self, count: int) -> float:
        """Seconds after which `count` could be taken; nothing can always be, also from a bucket in debt."""
        self._fill()
        missing = min(count, self.rate.burst) - self._left
        return missing / self.rate.per_second if count and missing > ROUNDING else 0.0

    def _fill(self) -> None:
        now_s = self._clock()
        self._left = min(self.rate.burst, self._left + (now_s - self._filled_s) * self.rate.per_second)
        self._filled_s = now_s
