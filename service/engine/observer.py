"""What an engine that asks servers reports of its calls."""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class BreakerState(Enum):
    """`CLOSED`: calls pass. `OPEN`: none does. `HALF_OPEN`: a probe is under way, calls still don't pass."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class EngineObserver(Protocol):
    """Who wants to know what becomes of calls: the metrics."""

    def call_ended(self, model: str, outcome: str, seconds: float) -> None:
        """One attempt ended; `outcome` is "ok", "cancelled" or an error's code."""

    def call_retried(self, model: str) -> None:
        """A second attempt is made."""

    def breaker_changed(self, address: str, model: str, state: BreakerState | None) -> None:
        """A breaker has a new state; None when its server is no longer used."""
