"""How many calls may be tried a second time: a share of all calls, so that retries never multiply an outage."""

from __future__ import annotations


class RetryBudget:
    """Each call earns `share` of a retry, up to `most` in store; it starts empty.

    So attempts ÷ calls ≤ 1 + `share`, whatever fails.
    """

    def __init__(self, *, share: float = 0.1, most: float = 10.0) -> None:
        self._share, self._most = share, most
        self._store = 0.0

    def call_started(self) -> None:
        """One call was made, its retries not counted."""
        self._store = min(self._most, self._store + self._share)

    def take(self) -> bool:
        """Spend one retry; False when none is in store."""
        if self._store < 1.0 - 1e-9:
            return False
        self._store -= 1.0
        return True
