"""The circuit breaker of one model on one server."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum


class BreakerState(Enum):
    """`CLOSED`: calls pass. `OPEN`: none does. `HALF_OPEN`: a probe is under way, calls still don't pass."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """Opens after failures in a row, or when a probe fails; only a probe that succeeds closes it again.

    It starts open, because nothing is known of a server yet. `on_change` is told the old and the new state.
    """

    def __init__(self, *, failures_to_open: int, on_change: Callable[[BreakerState, BreakerState], None]) -> None:
        self._failures_to_open, self._on_change = failures_to_open, on_change
        self._failures = 0
        self.state = BreakerState.OPEN

    @property
    def closed(self) -> bool:
        """Whether calls pass."""
        return self.state is BreakerState.CLOSED

    def call_succeeded(self) -> None:
        """A call was answered: failures no longer follow each other."""
        self._failures = 0

    def call_failed(self) -> None:
        """A call failed for a reason that lies with the server."""
        self._failures += 1
        if self._failures >= self._failures_to_open:
            self._become(BreakerState.OPEN)

    def probe_started(self) -> None:
        """An open breaker is half open while a probe is under way."""
        if self.state is BreakerState.OPEN:
            self._become(BreakerState.HALF_OPEN)

    def probe_ended(self, *, well: bool) -> None:
        """The probe's verdict counts whatever the state is."""
        self._failures = 0
        self._become(BreakerState.CLOSED if well else BreakerState.OPEN)

    def _become(self, state: BreakerState) -> None:
        before, self.state = self.state, state
        if state is not before:
            self._on_change(before, state)
