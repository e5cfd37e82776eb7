"""Hostile and broken requests for `/v1/embeddings`: a clear 400, never a 500, and no memory kept."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from tests.service.live_server import LiveServer
from tests.service.openai.test_errors import JSON, MODEL, refused

MIB = 1024 * 1024
WIDE = {f"field{i}": 1 for i in range(100_000)}
TEXT_PART = {"type": "text", "text": "x"}


def body(given: str, **more: Any) -> bytes:
    """A request whose `input` is this JSON."""
    head = json.dumps({"model": MODEL, **more})[:-1]
    return f'{head}, "input": {given}}}'.encode()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "malformed_body"),
        (b"{", "malformed_body"),
        (b"\xff\xfe", "malformed_body"),
        (b"[]", "invalid_field"),
        (b"null", "invalid_field"),
        (b"{}", "invalid_field"),
        (b'{"input": "x"}', "invalid_field"),
        (b'{"model": 5, "input": "x"}', "invalid_field"),
        (body("NaN"), "malformed_body"),
        (body('"\\ud800"'), "malformed_body"),
        (body("[" * 5000 + "]" * 5000), "malformed_body"),
        (body("[" * 500 + "]" * 500), "invalid_field"),
        (body('{"content":' * 500 + "[]" + "}" * 500), "invalid_field"),
    ],
)
def test_bad_bodies_are_refused(client: httpx.Client, content: bytes, code: str) -> None:
    refused(client.post("/v1/embeddings", content=content, headers=JSON), 400, code)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ("null", None),
        ("5", "input"),
        ("true", "input"),
        ("{}", "input"),
        ("[]", "input"),
        ("[[]]", "input[0]"),
        ("[null]", "input[0]"),
        ("[[1.5]]", "input[0][0]"),
        ("[4, 1.5]", "input[1]"),
        ("[true]", "input[0]"),
        ("[4, true]", "input[1]"),
        ('[4, "x"]', "input[1]"),
        ('["x", 4]', "input[1]"),
        ('["x", [4, [5]]]', "input[1][1]"),
        ("[-1]", "input[0]"),
        ("[2879]", "input"),
        ("[[4], [5, 2879]]", "input[1]"),
        ("[1]", "input"),
        ("[18446744073709551615]", "input[0]"),
        ("[1e300]", "input[0]"),
        ('{"text": 5}', "input.text"),
        ('{"text": null}', "input.text"),
        ('[{"text": "x", "colour": "red"}]', "input[0].colour"),
        ('{"text": "x", "image": ""}', "input.image"),
        ('{"embedding": [1.0]}', "input"),
        ('{"url": "x"}', "input"),
        ('{"content": []}', "input.content"),
        ('{"content": null}', "input.content"),
        ('{"content": 5}', "input.content"),
        ('{"content": ["x"]}', "input.content[0]"),
        ('{"content": [{}]}', "input.content[0]"),
        ('{"content": [{"text": "x"}]}', "input.content[0]"),
        ('{"content": [{"type": "video_url"}]}', "input.content[0]"),
        ('{"content": [{"type": ["text"]}]}', "input.content[0]"),
        ('{"content": [{"type": "text"}]}', "input.content[0].text"),
        ('{"content": [{"type": "text", "text": "x", "colour": 1}]}', "input.content[0].colour"),
        ('{"content": [{"content": "x"}]}', "input.content[0]"),
        ('{"content": "x", "role": "user"}', "input.role"),
        ('{"type": "image_url"}', "input.image_url"),
        ('{"type": "image_url", "image_url": {}}', "input.image_url.url"),
        ('{"type": "image_url", "image_url": {"url": 5}}', "input.image_url.url"),
        ('{"type": "image_url", "image_url": {"url": "x", "detail": "most"}}', "input.image_url.detail"),
        ('{"type": "input_audio", "input_audio": "QUJD"}', "input.input_audio"),
        ('{"type": "input_audio", "input_audio": {"format": "wav"}}', "input.input_audio.data"),
        ('{"parts": []}', "input.parts"),
    ],
)
def test_bad_inputs_are_refused_by_their_place(client: httpx.Client, given: str, param: str | None) -> None:
    answer = client.post("/v1/embeddings", content=body(given), headers=JSON)
    assert refused(answer, 400, "invalid_field")["param"] == param


@pytest.mark.parametrize(
    "more",
    [
        {"encoding_format": "morse"},
        {"encoding_format": ["float"]},
        {"dimensions": 0},
        {"dimensions": -1},
        {"dimensions": "128"},
        {"dimensions": 10**30},
        {"user": 5},
        {"modality": "smell"},
        {"normalise": True},
        {"messages": [{"role": "user", "content": "x"}]},
    ],
)
def test_bad_options_are_refused(client: httpx.Client, more: dict[str, Any]) -> None:
    error = refused(client.post("/v1/embeddings", json={"model": MODEL, "input": "x", **more}), 400, "invalid_field")
    assert error["param"] in (None, *more)


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        ([5], "messages[0]"),
        ([{}], "messages[0].content"),
        ([{"role": "system", "content": "x"}], "messages[0].role"),
        ([{"role": "user", "content": "x"}] * 2, "messages"),
        ([{"role": "user", "content": [TEXT_PART, {"type": "image_url"}]}], "messages[0].content[1].image_url"),
    ],
)
def test_bad_messages_are_refused(client: httpx.Client, messages: list[Any], param: str) -> None:
    answer = client.post("/v1/embeddings", json={"model": MODEL, "messages": messages})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize(
    "given",
    [
        ["x"] * 129,
        [[4]] * 129,
        {"content": [TEXT_PART] * 129},
        [{"content": [TEXT_PART] * 65}] * 2,
        [{"parts": [{"text": "x"}] * 65}, {"content": [TEXT_PART] * 64}],
        ["x"] * 100_000,
        {"content": [{}] * 100_000},
    ],
    ids=["strings", "token lists", "parts of content", "content twice", "parts and content", "many", "many parts"],
)
def test_too_many_items_are_refused(client: httpx.Client, given: Any) -> None:
    error = refused(client.post("/v1/embeddings", json={"model": MODEL, "input": given}), 400, "too_many_items")
    assert "limit 128" in (error["message"] or "")


def test_a_text_may_have_more_token_ids_than_a_request_items(client: httpx.Client) -> None:
    answer = client.post("/v1/embeddings", json={"model": MODEL, "input": [4] * 1000})
    assert answer.json()["usage"]["total_tokens"] == 70


def test_a_text_of_too_many_ids_or_bytes_is_refused(client: httpx.Client) -> None:
    limit = client.get("/info").json()["limits"]["max_text_bytes"]
    for given in ([4] * (limit + 1), "x" * (limit + 1)):
        error = refused(client.post("/v1/embeddings", json={"model": MODEL, "input": given}), 400, "invalid_text")
        assert str(limit) in (error["message"] or "")


@pytest.mark.parametrize(
    "given",
    [
        WIDE,
        WIDE | {"text": "x"},
        WIDE | {"content": "x"},
        {"content": [WIDE | TEXT_PART]},
        WIDE | TEXT_PART,
        {"type": "image_url", "image_url": WIDE},
    ],
)
def test_objects_of_many_fields_are_refused(client: httpx.Client, server: LiveServer, given: Any) -> None:
    before, started = server.resident_bytes(), time.monotonic()
    refused(client.post("/v1/embeddings", json={"model": MODEL, "input": given}), 400, "invalid_field")
    refused(client.post("/v1/embeddings", json={"model": MODEL, "input": "x"} | WIDE), 400, "invalid_field")
    assert time.monotonic() - started < 20
    assert server.resident_bytes() - before < 128 * MIB


@pytest.mark.parametrize("unit", ["{},", "[],", "0,", '"",', "1.5,"])
def test_lists_of_400_000_values_are_refused_quickly(client: httpx.Client, server: LiveServer, unit: str) -> None:
    before, started = server.resident_bytes(), time.monotonic()
    for wrapped in ("[{}0]", "[[{}0]]", '{{"content": [{}0]}}', '{{"type": "text", "text": [{}0]}}'):
        answer = client.post("/v1/embeddings", content=body(wrapped.format(unit * 400_000)), headers=JSON)
        assert answer.status_code == 400, answer.text[:200]
    assert time.monotonic() - started < 30
    assert server.resident_bytes() - before < 160 * MIB


@pytest.mark.parametrize("given", ["[5]", '{"text": "x"}', '[{"text": "x"}]'])
def test_a_modality_without_strings_is_refused(client: httpx.Client, given: str) -> None:
    answer = client.post("/v1/embeddings", content=body(given, modality="image"), headers=JSON)
    assert refused(answer, 400, "invalid_field")["param"] == "modality"


@pytest.mark.parametrize("roles", [[], ["system", "user"]])
def test_another_number_of_messages_than_one_is_told_what_is_taken(client: httpx.Client, roles: list[str]) -> None:
    messages = [{"role": role, "content": "x"} for role in roles]
    answer = client.post("/v1/embeddings", json={"model": MODEL, "messages": messages})
    error = refused(answer, 400, "invalid_field")
    assert error["param"] == "messages"
    assert "one message of the role user" in str(error["message"])
