"""What a caller is told first while the queue is full: what will still be wrong later comes before "come again"."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.access.known_keys import bearer, table, write_keys
from tests.service.full_queue import BODY, HEAD, JSON, full_server
from tests.service.live_server import LiveServer
from tests.service.metric_values import value

PAGE = {"origin": "https://app.example.org"}


@pytest.fixture(scope="module")
def full() -> Iterator[LiveServer]:
    with full_server() as running:
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


def test_whoever_may_not_come_in_is_not_told_that_it_is_full(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys.toml", table("one", "a"), table("two", "b", '["ground"]'))
    with full_server(api_keys_file=keys, cors_origins=PAGE["origin"]) as running:
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
