"""When calls pass and when they don't."""

from __future__ import annotations

from service.engine.triton.breaker import Breaker, BreakerState


def opened_by(failures: int) -> tuple[Breaker, list[BreakerState]]:
    seen: list[BreakerState] = []

    def note(before: BreakerState, state: BreakerState) -> None:
        seen.append(state)

    breaker = Breaker(failures_to_open=failures, on_change=note)
    breaker.probe_ended(well=True)
    return breaker, seen


def test_nothing_passes_before_the_first_probe() -> None:
    assert not Breaker(failures_to_open=3, on_change=print).closed


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker, _ = opened_by(3)
    for _ in range(5):
        breaker.call_failed()
        breaker.call_failed()
        breaker.call_succeeded()
    assert breaker.closed
    for _ in range(3):
        breaker.call_failed()
    assert breaker.state is BreakerState.OPEN


def test_only_a_probe_closes_it() -> None:
    breaker, seen = opened_by(1)
    breaker.call_failed()
    breaker.call_succeeded()  # an old call that ends well late
    assert not breaker.closed
    breaker.probe_started()
    assert not breaker.closed
    breaker.probe_ended(well=False)
    breaker.probe_started()
    breaker.probe_ended(well=True)
    assert breaker.closed
    closed, opened, half = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
    assert seen == [closed, opened, half, opened, half, closed]
