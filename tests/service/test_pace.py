"""How long newcomers would wait is told from what was finished while there was work."""

from __future__ import annotations

import pytest

from service.admission import Admission
from service.context import RequestContext
from service.errors import QueueFull
from service.pace import FEWEST_ITEMS, Pace


class Clock:
    """Goes on when told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def after(clock: Clock, seconds: float) -> None:
    clock.now_s += seconds


def test_without_a_pace_nobody_is_told_to_wait() -> None:
    assert Pace(Clock()).wait_s(1_000_000) == 0


def test_idle_time_does_not_make_the_service_slow() -> None:
    clock = Clock()
    pace = Pace(clock)
    for _ in range(10):
        pace.tell(0)
        after(clock, 0.25)
        pace.tell(40, 40)  # forty items in a quarter of a second
        after(clock, 60)  # then nothing
    assert pace.wait_s(320) == pytest.approx(2.0)


def test_a_few_items_never_wait_too_long_however_slow_they_are() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.tell(0)
    after(clock, 30)
    pace.tell(1, 1)
    assert pace.wait_s(FEWEST_ITEMS) == 0
    assert pace.wait_s(FEWEST_ITEMS + 1) == pytest.approx(30 * (FEWEST_ITEMS + 1))


def test_newcomers_are_refused_when_the_work_that_waits_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    admission = Admission(max_items=1000, max_bytes=100, max_wait_s=5.0)
    monkeypatch.setattr(admission, "_pace", Pace(clock))
    first, many = RequestContext("a", {}, 0.0), RequestContext("b", {}, 0.0)
    admission.take(first, items=20)
    after(clock, 2.0)
    admission.release(first)  # ten a second
    admission.take(many, items=50)
    admission.check_room()
    admission.take(many, items=10)
    with pytest.raises(QueueFull) as caught:
        admission.check_room()
    assert (caught.value.limit, caught.value.actual, caught.value.retry_after_s) == (5000, 6000, 1)
    admission.give(many, items=20)
    admission.check_room()
