"""When calls pass and when they don't."""

from __future__ import annotations

from service.engine.observer import BreakerState
from service.engine.triton.breaker import Breaker


def test_nothing_passes_before_the_first_probe() -> None:
    assert not Breaker(on_change=print).closed


def test_only_a_probe_closes_it_and_every_change_is_told_once() -> None:
    seen: list[BreakerState] = []
    breaker = Breaker(on_change=seen.append)
    closed, opened, half = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
    breaker.probe_started()
    assert not breaker.closed
    breaker.probe_ended(well=True)
    assert breaker.closed
    breaker.probe_started()
    breaker.probe_ended(well=True)  # a look at a server that is well
    breaker.open()
    breaker.open()
    assert not breaker.closed
    breaker.probe_started()
    breaker.probe_ended(well=False)
    assert not breaker.closed
    assert seen == [half, closed, opened, half, opened]
