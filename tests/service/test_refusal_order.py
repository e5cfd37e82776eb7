"""What a caller is told first while the queue is full: what will still be wrong later comes before "come again"."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.repository import REPOSITORY
from tests.service.access.known_keys import bearer, table, write_keys
from tests.service.live_server import LiveServer, live_server
from tests.service.metric_values import value

FULL = """
from service.admission import Admission
from service.errors import QueueFull
def refuse(self):
    raise QueueFull("the queue is full", limit=1, actual=1)
Admission.check_room = refuse
"""
BODY = json.dumps({"inputs": [{"text": "a cow"}]}).encode()
JSON = {"content-type": "application/json"}
MIB = 1024 * 1024
PAGE = {"origin": "https://app.example.org"}
HEAD = b"POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def full() -> Iterator[LiveServer]:
    """Without a garbage collector: what is in a circle stays."""
    with live_server(REPOSITORY, before="import gc; gc.disable()\n" + FULL) as running:
        yield running


def test_a_full_queue_says_so_with_all_that_belongs_to_an_answer(full: LiveServer) -> None:
    sent = JSON | {"x-request-id": "one", "traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
    answer = httpx.post(full.url + "/embed", content=BODY, headers=sent)
    assert (answer.status_code, answer.json()["code"], answer.json()["instance"]) == (429, "queue_full", "/embed")
    assert answer.headers["retry-after"]
    assert answer.headers["x-request-id"] == "one"
    assert answer.headers["traceparent"] == sent["traceparent"]
    openai = httpx.post(full.url + "/v1/embeddings", json={"model": "one-peace", "input": "a cow"})
    assert (openai.status_code, set(openai.json())) == (429, {"error"})


def test_a_connection_that_was_refused_serves_the_next_request(full: LiveServer) -> None:
    with httpx.Client(base_url=full.url) as client:
        assert client.post("/embed", content=BODY + b" " * 1_000_000, headers=JSON).status_code == 429
        assert client.get("/health/live").status_code == 200


def test_refusals_leave_nothing_in_memory(full: LiveServer) -> None:
    post = HEAD + b"Content-Length: 50000\r\n\r\n" + BODY.ljust(50_000)

    def come(times: int) -> None:
        for _ in range(times):
            assert full.raw(post).startswith(b"HTTP/1.1 429 ")

    come(50)
    before = full.resident_bytes()
    come(1000)
    assert full.resident_bytes() - before < 4 * MIB  # 8 where each connection left a circle


def test_pipelined_requests_behind_a_refusal_are_answered(full: LiveServer) -> None:
    post = HEAD + f"Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    with socket.create_connection(("127.0.0.1", full.port), timeout=20) as connection:
        connection.sendall(post + post + b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert re.findall(rb"HTTP/1.1 (\d+) ", received) == [b"429", b"429", b"200"]


def test_a_caller_who_wants_to_leave_is_refused_and_left(full: LiveServer) -> None:
    answer = httpx.post(full.url + "/embed", content=BODY, headers=JSON | {"connection": "close"})
    assert (answer.status_code, answer.headers["connection"]) == (429, "close")


def test_refusals_are_counted(full: LiveServer) -> None:
    with httpx.Client(base_url=full.url) as caller:

        def counted() -> tuple[float, ...]:
            return (
                value(caller, "onepeace_requests_total", endpoint="/embed", status="429"),
                value(caller, "onepeace_rejections_total", reason="queue_full"),
                value(caller, "onepeace_requests_in_flight"),
            )

        requests, rejections, in_flight = counted()
        assert caller.post("/embed", content=BODY, headers=JSON).status_code == 429
        assert counted() == (requests + 1, rejections + 1, in_flight)


def test_whoever_may_not_come_in_is_not_told_that_it_is_full(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys.toml", table("one", "a"), table("two", "b", '["ground"]'))
    with live_server(REPOSITORY, before=FULL, api_keys_file=keys, cors_origins=PAGE["origin"]) as running:
        for key, status in ((bearer("a"), 429), (bearer("b"), 403), (bearer("c"), 401), ({}, 401)):
            for page in ({}, PAGE):
                answer = httpx.post(running.url + "/embed", content=BODY, headers=JSON | key | page)
                assert answer.status_code == status
                assert ("access-control-allow-origin" in answer.headers) == bool(page)
        with httpx.Client(base_url=running.url, headers=bearer("a")) as caller:
            assert value(caller, "onepeace_key_requests_total", key="one", outcome="accepted") == 2
            assert value(caller, "onepeace_key_requests_total", key="two", outcome="forbidden") == 2


def test_a_body_that_is_never_taken_is_not_asked_to_come_again(full: LiveServer) -> None:
    assert httpx.post(full.url + "/embed", content=BODY, headers={"content-type": "text/plain"}).status_code == 415
    assert full.raw(HEAD + b"Content-Length: 1000000000000\r\n\r\n{").startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_is_refused_too(full: LiveServer) -> None:
    assert httpx.post(full.url + "/embed", content=iter([BODY]), headers=JSON).status_code == 429


def test_what_takes_no_work_is_answered(full: LiveServer) -> None:
    for path in ("/info", "/health/ready", "/metrics", "/v1/models"):
        assert httpx.get(full.url + path).status_code == 200
    assert httpx.get(full.url + "/embed").status_code == 405


def test_a_problem_s_instance_is_a_reference(full: LiveServer) -> None:
    assert httpx.get(full.url + "/no%20such%3Fpath").json()["instance"] == "/no%20such%3Fpath"
