"""Retries are a share of calls."""

from __future__ import annotations

from service.engine.triton.retry_budget import RetryBudget


def test_retries_are_a_tenth_of_the_calls_from_the_first_on() -> None:
    budget = RetryBudget(share=0.1)
    retries = 0
    for calls in range(1, 1001):
        budget.call_started()
        retries += budget.take()
        assert retries <= calls * 0.1 + 1e-6
    assert retries == 100


def test_a_quiet_time_saves_up_no_more_than_the_store_holds() -> None:
    budget = RetryBudget(share=0.1, most=3)
    for _ in range(1000):
        budget.call_started()
    assert [budget.take() for _ in range(5)] == [True, True, True, False, False]
