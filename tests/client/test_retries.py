"""Retries, deadlines and connections against a scripted server on a real socket."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from onepeace_client import (
    AsyncClient,
    Client,
    DeadlineExceeded,
    EngineFailure,
    InvalidInput,
    NotConnected,
    Options,
    ProtocolError,
    QueueFull,
    RetryPolicy,
    Unavailable,
    Unreachable,
)
from onepeace_client.retries import RetryBudget, parse_retry_after
from tests.client.scripted_server import Answer, always, give_vectors, problem, scripted_server, vectors

FAST = Options(retries=RetryPolicy(first_wait_s=0.001, longest_wait_s=0.002))


def test_a_busy_server_is_asked_again_until_it_answers() -> None:
    busy = [problem(429, "queue_full"), problem(503, "not_ready"), Answer(body=None)]
    with (
        scripted_server(lambda n, body: busy[n] if n < 3 else vectors(body)) as server,
        Client(server.url, FAST) as client,
    ):
        assert client.embed(["a"]).vectors.tolist() == [[1.0, 0.0]]
        assert len(server.posts) == 4
        assert client.profile().retries == 3


async def test_the_async_client_retries_as_well() -> None:
    with scripted_server(lambda n, body: problem(503, "not_ready") if n < 2 else vectors(body)) as server:
        async with AsyncClient(server.url, FAST) as client:
            assert (await client.embed(["a"])).vectors.tolist() == [[1.0, 0.0]]
        assert len(server.posts) == 3


def test_attempts_end_with_the_servers_own_error() -> None:
    with scripted_server(always(problem(429, "queue_full"))) as server, Client(server.url, FAST) as client:
        with pytest.raises(QueueFull) as caught:
            client.embed(["a"])
        assert len(server.posts) == FAST.retries.attempts
        assert (caught.value.code, caught.value.status, caught.value.request_id) == ("queue_full", 429, "r1")


def test_retry_after_is_honoured() -> None:
    answers = [problem(429, "queue_full", retry_after="1")]
    with (
        scripted_server(lambda n, body: answers[n] if n < 1 else vectors(body)) as server,
        Client(server.url, FAST) as client,
    ):
        client.embed(["a"])
        assert 1.0 <= server.posts[1] - server.posts[0] < 1.5


def test_a_retry_that_would_break_the_deadline_is_not_waited_for() -> None:
    with scripted_server(always(problem(503, "not_ready", retry_after="30"))) as server:
        started = time.monotonic()
        with Client(server.url, FAST) as client, pytest.raises(Unavailable) as caught:
            client.embed(["a"], deadline_s=5.0)
        assert caught.value.retry_after_s == 30.0
        assert time.monotonic() - started < 1.0
        assert len(server.posts) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(504, "deadline_exceeded"), DeadlineExceeded),
        (problem(500, "engine_failure"), EngineFailure),
        (problem(422, "invalid_text"), InvalidInput),
        (Answer(200, b"<html>"), ProtocolError),
        (Answer(200, b"{}"), ProtocolError),
    ],
)
def test_what_another_try_would_not_mend_is_not_tried_again(answer: Answer, error: type[Exception]) -> None:
    with scripted_server(always(answer)) as server, Client(server.url, FAST) as client:
        with pytest.raises(error):
            client.embed(["a"])
        assert len(server.posts) == 1


def test_a_long_outage_costs_a_tenth_more_requests_and_the_reserve() -> None:
    calls = 300
    with scripted_server(always(problem(503, "engine_unavailable"))) as server, Client(server.url, FAST) as client:
        for _ in range(calls):
            with pytest.raises(Unavailable):
                client.embed(["a"])
        policy = FAST.retries
        assert calls + policy.reserve <= len(server.posts) <= calls * (1 + policy.refill) + policy.reserve + 1


def test_a_rested_budget_holds_no_more_than_its_reserve() -> None:
    budget = RetryBudget(RetryPolicy(reserve=3.0))
    for _ in range(1000):
        budget.earn()
    assert [budget.take() for _ in range(5)] == [True, True, True, False, False]


def test_a_silent_server_is_left_at_the_deadline() -> None:
    with scripted_server(always(Answer(200, b"{}", after_s=1.0))) as server, Client(server.url, FAST) as client:
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            client.embed(["a"], deadline_s=0.3)
        assert 0.25 < time.monotonic() - started < 0.6
        assert caught.value.status is None
        assert len(server.posts) == 1


async def test_a_silent_server_is_left_at_the_deadline_by_the_async_client() -> None:
    with scripted_server(always(Answer(200, b"{}", after_s=1.0))) as server:
        async with AsyncClient(server.url, Options(deadline_s=0.3)) as client:
            started = time.monotonic()
            with pytest.raises(DeadlineExceeded):
                await client.embed(["a"])
            assert 0.25 < time.monotonic() - started < 0.6


@pytest.mark.parametrize("deadline_s", [0.0, -1.0, float("nan")])
def test_a_deadline_that_is_none_is_refused(deadline_s: float) -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(ValueError, match="deadline_s"):
        client.embed(["a"], deadline_s=deadline_s)


def test_no_server_is_unreachable() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", FAST) as client:
        with pytest.raises(NotConnected):
            client.embed(["a"])
        assert client.profile().requests == FAST.retries.attempts


def test_a_server_that_is_started_anew_ends_no_call() -> None:
    def starting(number: int, body: bytes) -> Answer:
        return problem(503, "not_ready") if number < 30 else vectors(body)

    quick = Options(retries=RetryPolicy(first_wait_s=0.01, longest_wait_s=0.05, reserve=3.0))
    with scripted_server(give_vectors, keep_alive=False) as before:
        client = Client(before.url, quick)
        client.info()
    with client, ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.embed, ["a"] * 50)
        time.sleep(1.0)
        with scripted_server(starting, port=int(before.url.rpartition(":")[2]), keep_alive=False):
            assert call.result(30).vectors.shape == (50, 2)
        assert client.profile().retries > 40


async def test_a_server_that_stays_away_is_left_when_the_patience_ends() -> None:
    quick = Options(retries=RetryPolicy(attempts=2, first_wait_s=0.01, longest_wait_s=0.02, patience_s=0.5))
    with scripted_server(give_vectors, keep_alive=False) as server:
        client = AsyncClient(server.url, quick)
        await client.info()
    async with client:
        started = time.monotonic()
        with pytest.raises(NotConnected):
            await client.embed(["a"])
        assert 0.4 < time.monotonic() - started < 5.0
        assert client.profile().retries > quick.retries.attempts


def test_one_attempt_means_no_patience() -> None:
    once = Options(retries=RetryPolicy(attempts=1))
    with scripted_server(always(problem(503, "not_ready"))) as server, Client(server.url, once) as client:
        with pytest.raises(Unavailable):
            client.embed(["a"])
        assert len(server.posts) == 1


def test_a_request_that_breaks_connections_is_sent_no_more_often_than_attempts() -> None:
    with scripted_server(always(Answer(body=None))) as server, Client(server.url, FAST) as client:
        with pytest.raises(Unreachable):
            client.embed(["a"])
        assert len(server.posts) == FAST.retries.attempts


def test_connections_are_used_again() -> None:
    with scripted_server(give_vectors) as server, Client(server.url) as client:
        for _ in range(20):
            client.embed(["a"])
        assert len(server.posts) == 20
        assert server.connections == 1


async def test_connections_are_used_again_by_the_async_client() -> None:
    with scripted_server(give_vectors) as server:
        async with AsyncClient(server.url) as client:
            for _ in range(20):
                await client.embed(["a"])
        assert server.connections == 1


def test_headers_go_with_each_request() -> None:
    options = Options(headers={"authorization": "Bearer secret"})
    with scripted_server(give_vectors) as server, Client(server.url, options) as client:
        client.embed(["a"])
        assert server.headers[0]["authorization"] == "Bearer secret"
    assert "secret" not in repr(options)


def test_requests_side_by_side_are_bounded_and_all_answered() -> None:
    def slow(number: int, body: bytes) -> Answer:
        answer = vectors(body)
        answer.after_s = 0.02
        return answer

    with scripted_server(slow) as server, Client(server.url, Options(concurrency=3)) as client:
        assert client.embed(["a"] * 50).vectors.shape == (50, 2)
        assert len(server.posts) == 13
        assert server.most_under_way == 3
        assert server.connections <= 3


async def test_requests_side_by_side_are_bounded_in_the_async_client() -> None:
    def slow(number: int, body: bytes) -> Answer:
        answer = vectors(body)
        answer.after_s = 0.02
        return answer

    with scripted_server(slow) as server:
        async with AsyncClient(server.url, Options(concurrency=3)) as client:
            assert (await client.embed(["a"] * 50)).vectors.shape == (50, 2)
        assert server.most_under_way == 3


def test_the_first_failure_ends_a_split_call() -> None:
    def script(number: int, body: bytes) -> Answer:
        return problem(500, "engine_failure") if b"bad" in body else vectors(body)

    with scripted_server(script) as server, Client(server.url, Options(concurrency=2)) as client:
        with pytest.raises(EngineFailure):
            client.embed(["bad", *["a"] * 399])
        assert len(server.posts) < 10


@pytest.mark.parametrize(
    ("value", "seconds"), [("3", 3.0), ("0", 0.0), ("-1", 0.0), (None, None), ("soon", None), (b"3", None)]
)
def test_retry_after_is_a_number(value: str | bytes | None, seconds: float | None) -> None:
    assert parse_retry_after(value) == seconds


def test_retry_after_is_a_date() -> None:
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
    assert parse_retry_after(when) == pytest.approx(60.0, abs=2.0)
