"""The OpenAPI document against the real server: what is asked and answered is described, with no field left out."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from service.app import api_document
from tests.service.media_files import clip, encoded, picture

DOCUMENT = api_document()
TEXT, IMAGE, AUDIO = {"text": "a cow"}, {"image": encoded(picture(3))}, {"audio": encoded(clip(3, seconds=2.5))}
FUSED = {"parts": [TEXT, {"tokens": [5, 6]}, IMAGE, AUDIO]}
BAD = {"image": encoded(b"no picture")}
WINDOWS = {"seconds": 1}
MODEL = "one-peace"


def closed(schema: Any) -> Any:
    """The schema with no room for fields that it does not name."""
    if isinstance(schema, list):
        return [closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    is_object = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    return {"additionalProperties": False, **inner} if is_object else inner


def complaints(schema: dict[str, Any], value: object) -> list[str]:
    root = {**schema, "components": closed(DOCUMENT["components"])}
    return [error.message for error in Draft202012Validator(root).iter_errors(value)]


def described(answer: httpx.Response, path: str) -> dict[str, Any]:
    """What the document says of this answer's body."""
    operation = DOCUMENT["paths"][path][answer.request.method.lower()]
    media_type = answer.headers["content-type"].partition(";")[0]
    schema: dict[str, Any] = operation["responses"][str(answer.status_code)]["content"][media_type]["schema"]
    return schema


ASKED: list[tuple[str, dict[str, Any] | None, int]] = [
    ("/embed", {"inputs": [TEXT, {"tokens": [5, 6]}, IMAGE, AUDIO, FUSED]}, 200),
    ("/embed", {"inputs": [TEXT], "encoding": "int8"}, 200),
    ("/embed", {"inputs": [AUDIO], "encoding": ["float", "base64", "int8", "binary"], "windows": WINDOWS}, 200),
    ("/embed", {"inputs": [TEXT, BAD], "on_error": "report"}, 200),
    ("/embed", {"inputs": [TEXT, BAD]}, 422),
    ("/embed", {"inputs": [TEXT, BAD, BAD]}, 422),
    ("/embed", {"inputs": [TEXT] * 129}, 422),
    ("/embed", {"inputs": [{"text": "x" * 9_000_000}]}, 413),
    ("/similarity", {"queries": [TEXT, FUSED], "candidates": [{"embedding": [1.0] * 128}], "probabilities": True}, 200),
    ("/ground", {**IMAGE, "phrases": ["a cow", "a dog"]}, 200),
    ("/ground", {**IMAGE, "phrases": ["a cow"], "scores": True}, 200),
    ("/classify", {"input": FUSED, "labels": ["cow", "dog"], "threshold": 0.3}, 200),
    ("/audio/labels", {**AUDIO, "windows": WINDOWS}, 200),
    ("/vqa", {**IMAGE, "question": "what?"}, 404),
    ("/v1/embeddings", {"model": MODEL, "input": ["a cow", IMAGE]}, 200),
    ("/v1/embeddings", {"model": MODEL, "input": BAD}, 400),
    ("/v1/embeddings", {"model": "another", "input": "a cow"}, 404),
    ("/v1/models", None, 200),
    ("/info", None, 200),
    ("/health/live", None, 200),
    ("/health/ready", None, 200),
]


@pytest.mark.parametrize(("path", "body", "status"), ASKED, ids=[f"{path}-{status}" for path, _, status in ASKED])
def test_an_answer_is_as_described(client: httpx.Client, path: str, body: dict[str, Any] | None, status: int) -> None:
    answer = client.get(path) if body is None else client.post(path, json=body)
    assert answer.status_code == status, answer.text
    assert complaints(described(answer, path), answer.json()) == []
    if body is not None and status == 200:
        schema = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert complaints(schema, body) == []


def test_an_item_of_an_unknown_form_is_as_described(client: httpx.Client) -> None:
    answer = client.post("/embed", json={"inputs": [TEXT, {"txt": 5}], "on_error": "report"})
    assert answer.json()["data"][1]["modality"] == "unknown"
    assert complaints(described(answer, "/embed"), answer.json()) == []


def test_a_model_by_its_name_is_as_described(client: httpx.Client) -> None:
    for name in (MODEL, "another"):
        answer = client.get(f"/v1/models/{name}")
        assert complaints(described(answer, "/v1/models/{model}"), answer.json()) == []


def test_a_description_is_not_so_wide_that_anything_fits(client: httpx.Client) -> None:
    answer = client.post("/ground", json={**IMAGE, "phrases": ["a cow"]})
    schema, value = described(answer, "/ground"), answer.json()
    assert complaints(schema, {**value, "more": 1})
    assert complaints(schema, {**value, "image": {"width": "96"}})
    refused = client.post("/embed", json={"inputs": [BAD]})
    schema, problem = described(refused, "/embed"), refused.json()
    assert complaints(schema, {**problem, "code": "queue_full"})
    assert complaints(schema, {**problem, "status": 429})


FORMS: list[tuple[str, dict[str, Any]]] = [
    ("/embed", {"text": ["a", "b"], "encoding": ["int8", "float"], "on_error": "report"}),
    ("/embed", {"audio": [b"clip"], "window_seconds": 1.5, "window_hop": 0.5}),
    ("/similarity", {"query_text": ["a"], "candidate_image": [b"picture"], "probabilities": True}),
    ("/ground", {"image": b"picture", "phrase": ["a", "b"], "scores": True}),
    ("/classify", {"audio": b"clip", "label": ["a", "b"], "template": "a {}", "multi_label": True, "threshold": 0.5}),
    ("/audio/labels", {"audio": b"clip", "top_k": 2, "window_seconds": 1.5}),
]
FILES = {b"clip": clip(3), b"picture": picture(3)}


def form_complaints(path: str, form: dict[str, Any]) -> list[str]:
    schema = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    return complaints(schema, json.loads(json.dumps(form, default=bytes.decode)))


@pytest.mark.parametrize(("path", "form"), FORMS, ids=[path for path, _ in FORMS])
def test_a_form_that_is_as_described_is_answered(client: httpx.Client, path: str, form: dict[str, Any]) -> None:
    assert form_complaints(path, form) == []
    fields: list[tuple[str, Any]] = []
    for name, value in form.items():
        for entry in value if isinstance(value, list) else [value]:
            is_file = isinstance(entry, bytes)
            fields.append((name, ("x", FILES[entry]) if is_file else (None, json.dumps(entry).strip('"'))))
    answer = client.post(path, files=fields)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/embed", {"text": "a"}),
        ("/embed", {"encoding": ["int8"]}),
        ("/similarity", {"query_text": ["a"]}),
        ("/classify", {"label": ["a"]}),
        ("/classify", {"label": ["a"], "text": "a", "image": b"picture"}),
        ("/embed", {"text": ["a"], "encoding": ["int9"]}),
        ("/ground", {"image": b"picture"}),
        ("/ground", {"image": b"picture", "phrase": ["a"], "score": True}),
        ("/audio/labels", {"audio": b"clip", "top_k": "two"}),
        ("/classify", {"label": ["a"], "text": "a", "threshold": 2}),
    ],
)
def test_a_wrong_form_does_not_fit_the_description(path: str, form: dict[str, Any]) -> None:
    assert form_complaints(path, form)


def test_every_answer_of_every_operation_has_a_schema() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                for media_type, content in response["content"].items():
                    assert content["schema"], (path, status, media_type)


def test_operations_have_names_of_their_own() -> None:
    operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert "audio_labels" in names


def test_busy_answers_say_when_to_come_again() -> None:
    responses = DOCUMENT["paths"]["/embed"]["post"]["responses"]
    assert {status for status, response in responses.items() if "Retry-After" in response.get("headers", ())} == {
        "429",
        "503",
    }


def test_the_server_gives_the_document(client: httpx.Client) -> None:
    assert client.get("/openapi.json").json() == json.loads(json.dumps(DOCUMENT))
