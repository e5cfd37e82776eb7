"""Whether a large body goes on: a few that stop near their end would hold the room of all others."""

from __future__ import annotations

LARGE_BYTES = 1024 * 1024
WINDOW_S = 10.0
MOST_BYTES = 64 * 1024


class BodyProgress:
    """Looks back once in `WINDOW_S` at how far a body of more than `LARGE_BYTES` has come meanwhile.

    `least_bytes` is `MOST_BYTES`, or less where bodies may take long: who sent steadily what has come by now, within
    the time for all of it, is never told to go faster.
    """

    __slots__ = ("_bytes", "_since_s", "least_bytes")

    def __init__(self, started_s: float, time_for_all_s: float) -> None:
        self._since_s, self._bytes = started_s, 0
        self.least_bytes = min(MOST_BYTES, int(LARGE_BYTES * WINDOW_S / time_for_all_s))

    def has_halted(self, now_s: float, num_bytes: int) -> bool:
        """Whether fewer than `least_bytes` came in the last window; `num_bytes` have come in all."""
        if now_s - self._since_s < WINDOW_S:
            return False
        halted = num_bytes > LARGE_BYTES and num_bytes - self._bytes < self.least_bytes
        self._since_s, self._bytes = now_s, num_bytes
        return halted
