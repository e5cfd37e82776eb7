"""Large bodies that come to a halt, by a clock of the tests' own."""

from __future__ import annotations

import pytest

from service.body_progress import BodyProgress

MINUTE_S = 60.0


def halts_at(burst: int, bytes_per_s: int, time_for_all_s: float = MINUTE_S) -> int | None:
    """The second at which a body is told that it halted: a burst at once, then a steady rate; None: never."""
    progress = BodyProgress(1000.0, time_for_all_s)
    for second in range(1, int(time_for_all_s)):
        if progress.has_halted(1000.0 + second, burst + second * bytes_per_s):
            return second
    return None


@pytest.mark.parametrize(("burst", "bytes_per_s"), [(32_000_000, 0), (32_000_000, 1), (2_000_000, 6_000)])
def test_a_large_body_that_stops_is_found_within_two_windows(burst: int, bytes_per_s: int) -> None:
    assert halts_at(burst, bytes_per_s) == 20


@pytest.mark.parametrize(("burst", "bytes_per_s"), [(2_000_000, 7_000), (0, 100_000), (1_000_000, 0), (0, 0)])
def test_steady_and_small_bodies_are_left_to_the_time_for_all(burst: int, bytes_per_s: int) -> None:
    assert halts_at(burst, bytes_per_s) is None


def test_where_bodies_may_take_long_they_may_be_slow() -> None:
    assert halts_at(2_000_000, 2_000, time_for_all_s=600.0) is None
    assert halts_at(2_000_000, 1_000, time_for_all_s=600.0) == 20


def test_who_is_on_schedule_is_never_told() -> None:
    for minutes in (1, 5, 60):
        for size in (1_100_000, 32 * 1024 * 1024):
            assert halts_at(0, size // (60 * minutes) + 1, time_for_all_s=60.0 * minutes) is None
