"""What a caller is told first while the queue is full: what will still be wrong later comes before "come again"."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server

FULL = """
from service.admission import Admission
from service.errors import QueueFull
def refuse(self):
    raise QueueFull("the queue is full", limit=1, actual=1)
Admission.check_room = refuse
"""
BODY = json.dumps({"inputs": [{"text": "a cow"}]}).encode()
JSON = {"content-type": "application/json"}
HEAD = b"POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def full() -> Iterator[LiveServer]:
    with live_server(REPOSITORY, before=FULL) as running:
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
