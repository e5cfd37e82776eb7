"""The circuit breaker of one model on one server."""

from __future__ import annotations

from collections.abc import Callable

from service.engine.observer import BreakerState


class Breaker:
    """Opens when a server is lost or a probe fails; only a probe that succeeds closes it again.

    It starts open, because nothing is known of a server yet. `on_change` is told every new state.
    """

    def __init__(self, *, on_change: Callable[[BreakerState], None]) -> None:
        self._on_change = on_change
        self.state = BreakerState.OPEN

    @property
    def closed(self) -> bool:
        """Whether calls pass."""
        return self.state is BreakerState.CLOSED

    def open(self) -> None:
        """No call passes from now on."""
        self._become(BreakerState.OPEN)

    def probe_started(self) -> None:
        """An open breaker is half open while a probe is under way."""
        if self.state is BreakerState.OPEN:
            self._become(BreakerState.HALF_OPEN)

    def probe_ended(self, *, well: bool) -> None:
        """The probe's verdict counts whatever the state is."""
        self._become(BreakerState.CLOSED if well else BreakerState.OPEN)

    def _become(self, state: BreakerState) -> None:
        if state is not self.state:
            self.state = state
            self._on_change(state)
