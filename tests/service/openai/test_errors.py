"""Errors below `/v1/`: OpenAI's shape from wherever they come, as the exceptions that its client knows."""

from __future__ import annotations

import asyncio
import time

import httpx
import openai
import pytest

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import clip, encoded

MODEL = "one-peace"
JSON = {"Content-Type": "application/json"}
LONG = {"audio": encoded(clip(1, 15.0, 44_100))}


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, str | None]:
    """Checks an error document and returns what is in it."""
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"error"}
    error: dict[str, str | None] = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["code"] == code
    assert error["message"]
    assert len(answer.content) < 16_384
    return error


def test_another_model_is_not_found_and_the_served_one_is_named(official: openai.OpenAI) -> None:
    for ask in (
        lambda: official.embeddings.create(model="text-embedding-3-small", input="x"),
        lambda: official.models.retrieve("org/text-embedding-3-small"),
    ):
        with pytest.raises(openai.NotFoundError, match="served: one-peace") as caught:
            ask()
        assert caught.value.code == "model_not_found"
        assert caught.value.request_id


def test_a_wrong_input_is_a_bad_request_that_names_its_place(official: openai.OpenAI) -> None:
    content = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    with pytest.raises(openai.BadRequestError) as caught:
        official.embeddings.create(model=MODEL, input=["good", {"text": "good"}, {"content": content}])
    error = caught.value
    assert (error.code, error.param) == ("unreadable_image", "input[2].content[1].image_url.url")
    assert error.type == "invalid_request_error"


def test_every_wrong_input_is_named(official: openai.OpenAI) -> None:
    wrong = [{"image": "AAAA"}, "good", {"type": "input_audio", "input_audio": {"data": "%"}}, [10**6]]
    with pytest.raises(openai.BadRequestError) as caught:
        official.embeddings.create(model=MODEL, input=wrong)
    assert (caught.value.code, caught.value.param) == ("invalid_request", "input[0].image")
    for place in ("input[0].image", "input[2].input_audio.data", "input[3]"):
        assert f"{place}: " in caught.value.message


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/embeddings", 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/v1/chat/completions", 404, "not_found"),
        ("GET", "/v1/", 404, "not_found"),
        ("GET", "/v1/models/", 404, "model_not_found"),
        ("GET", "/v1/models/{model}", 404, "model_not_found"),
        ("GET", "/v1/models/{model:path}", 404, "model_not_found"),
        ("POST", "/v1/embeddings", 415, "unsupported_media_type"),
    ],
)
def test_wrong_paths_methods_and_types(client: httpx.Client, method: str, path: str, status: int, code: str) -> None:
    assert refused(client.request(method, path), status, code)["type"] == "invalid_request_error"


def test_multipart_is_not_taken(client: httpx.Client) -> None:
    refused(client.post("/v1/embeddings", files={"image": ("x", b"x")}), 415, "unsupported_media_type")


def test_a_body_over_the_limit(client: httpx.Client) -> None:
    answer = client.post("/v1/embeddings", content=b"x" * (8 * 1024 * 1024 + 1), headers=JSON)
    message = refused(answer, 413, "body_too_large")["message"]
    assert message is not None
    assert "limit 8388608" in message


def test_errors_elsewhere_are_still_problems(client: httpx.Client) -> None:
    for path in ("/v1", "/v10/embeddings", "/nothing"):
        assert client.get(path).headers["content-type"] == "application/problem+json"


async def test_a_full_queue_is_a_rate_limit_that_the_client_waits_out() -> None:
    with live_server(REPOSITORY, max_queue=4, max_items=4) as small:
        url = f"{small.url}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as hasty:
            calls = (hasty.embeddings.create(model=MODEL, input=[LONG]) for _ in range(30))
            results = await asyncio.gather(*calls, return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        assert 0 < len(errors) < len(results)
        for error in errors:
            assert isinstance(error, openai.RateLimitError)
            assert (error.code, error.type) == ("queue_full", "rate_limit_error")
            assert error.response.headers["retry-after"] == "1"
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=20) as patient:
            started = time.monotonic()
            await asyncio.gather(*(patient.embeddings.create(model=MODEL, input=[LONG]) for _ in range(12)))
            assert time.monotonic() - started > 1.0  # some waited for a Retry-After


def test_the_deadline_is_a_server_error() -> None:
    with (
        live_server(REPOSITORY, deadline_ms=1) as hasty,
        openai.OpenAI(base_url=f"{hasty.url}/v1", api_key="none", max_retries=0) as official,
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            official.embeddings.create(model=MODEL, input=[LONG])
        assert (caught.value.status_code, caught.value.code) == (504, "deadline_exceeded")
        assert caught.value.type == "server_error"


def test_a_body_that_does_not_arrive_in_time() -> None:
    with live_server(REPOSITORY, read_timeout_ms=300) as impatient:
        head = (
            b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        answer = impatient.raw(head)
        assert b" 408 " in answer[:20]
        assert b'{"error":{"message":' in answer


def test_the_metrics_count_them_by_their_codes(client: httpx.Client, server: LiveServer) -> None:
    refused(client.get("/v1/models/none"), 404, "model_not_found")
    refused(client.post("/v1/embeddings", json={"model": MODEL, "input": 5}), 400, "invalid_field")
    metrics = client.get("/metrics").text
    assert 'onepeace_errors_total{code="model_not_found"}' in metrics
    assert 'onepeace_requests_total{endpoint="/v1/embeddings",status="400"}' in metrics
