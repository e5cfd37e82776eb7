"""Token buckets against a clock that the test turns."""

from __future__ import annotations

import pytest

from service.access.bucket import Bucket, Rate


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_passes_and_then_the_rate_holds(clock: Clock) -> None:
    bucket = Bucket(Rate(2.0, 3.0), clock)
    assert [bucket.take(1) for _ in range(4)] == [0, 0, 0, 0.5]
    clock.now_s += 0.49
    assert bucket.take(1) == pytest.approx(0.01)
    clock.now_s += 0.01
    assert bucket.take(1) == 0


def test_rest_fills_no_more_than_the_burst(clock: Clock) -> None:
    bucket = Bucket(Rate(10.0, 5.0), clock)
    clock.now_s += 1e6
    assert [bucket.take(1) for _ in range(6)] == [0, 0, 0, 0, 0, 0.1]


def test_more_than_the_burst_needs_a_full_bucket_and_leaves_a_debt(clock: Clock) -> None:
    bucket = Bucket(Rate(10.0, 5.0), clock)
    assert bucket.take(25) == 0
    assert bucket.take(1) == pytest.approx(2.1)  # 20 of debt and itself, at 10 per second
    clock.now_s += 2.4
    assert bucket.take(25) == pytest.approx(0.1)
    clock.now_s += 0.1
    assert bucket.take(25) == 0


def test_nothing_can_be_taken_from_a_bucket_in_debt_and_a_debt_can_grow(clock: Clock) -> None:
    bucket = Bucket(Rate(10.0, 5.0), clock)
    bucket.owe(25)
    assert bucket.take(0) == 0
    bucket.owe(10)
    assert bucket.take(1) == pytest.approx(3.1)  # 30 of debt and itself, at 10 per second
    clock.now_s += 3.1
    assert bucket.take(1) == 0


def test_a_refusal_costs_nothing(clock: Clock) -> None:
    bucket = Bucket(Rate(1.0, 2.0), clock)
    assert bucket.take(2) == 0
    for _ in range(100):
        assert bucket.take(2) == pytest.approx(2.0)
    clock.now_s += 2.0
    assert bucket.take(2) == 0


@pytest.mark.parametrize("rate", [0.1, 3.0, 7.7])
def test_over_a_long_time_the_average_is_the_rate(clock: Clock, rate: float) -> None:
    bucket = Bucket(Rate(rate, 1.0), clock)
    taken = 0
    start_s = clock.now_s
    while clock.now_s < start_s + 1000:
        wait_s = bucket.take(1)
        taken += not wait_s
        clock.now_s += wait_s or 0.01
    assert taken == pytest.approx(rate * 1000, rel=0.02, abs=2)
