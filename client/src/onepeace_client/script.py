"""Calls without input and output: generators that ask for it, and are driven by threads or by asyncio.

A call yields an `Effect`; the driver does it and sends the result back in (a `Reply`, `work()`'s value, the list of
results), or throws its error in. So splitting, retrying and reading are written once, for sync and async.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from onepeace_client.errors import DeadlineExceeded
from onepeace_client.wire import Outgoing

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; its `Reply` is to come within `timeout_s`."""

    outgoing: Outgoing
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Read files or encode: what would hold up an event loop."""

    work: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Spread:
    """Run scripts side by side, a bounded number at once; the next is taken when there is room for it.

    The result is the list of theirs, in order. The first error ends the others.
    """

    scripts: Iterator[Script[Any]]


Effect: TypeAlias = "Send | Sleep | Work | Spread"
Script: TypeAlias = Generator[Effect, Any, T]


class Run(Generic[T]):
    """A script under way: a driver does each `effect`, and gives its value or its error, until there is none left."""

    __slots__ = ("_script", "effect", "result")

    def __init__(self, script: Script[T]) -> None:
        self._script = script
        self.effect: Effect | None = None
        self.result: T
        self.give(None)

    def give(self, value: Any) -> None:
        """Go on with what the effect gave, to the next one or the end."""
        self._step(lambda: self._script.send(value))

    def fail(self, error: BaseException) -> None:
        """Go on with the error that the effect ended with; one that the script does not catch is raised."""
        self._step(lambda: self._script.throw(error))

    def _step(self, step: Callable[[], Effect]) -> None:
        try:
            self.effect = step()
        except StopIteration as end:
            self.effect, self.result = None, end.value


def work(function: Callable[[], T]) -> Script[T]:
    """The result of `Work`, with its type."""
    result: T = yield Work(function)
    return result


def spread(scripts: Iterator[Script[T]]) -> Script[list[T]]:
    """The results of `Spread`, with their type."""
    results: list[T] = yield Spread(scripts)
    return results


class Deadline:
    """The moment until which a call may take."""

    def __init__(self, seconds: float | None) -> None:
        if seconds is not None and not seconds > 0:
            raise ValueError(f"deadline_s must be positive, not {seconds}")
        self._seconds = seconds
        self._at = math.inf if seconds is None else time.monotonic() + seconds

    def left_s(self) -> float:
        """Seconds left; infinite without a deadline.

        Raises:
            DeadlineExceeded: none.
        """
        left = self._at - time.monotonic()
        if left <= 0:
            raise self.exceeded()
        return left

    def exceeded(self) -> DeadlineExceeded:
        """The error for a call that took too long."""
        return DeadlineExceeded(f"no answer within deadline_s ({self._seconds} s)")
