"""The other endpoints over a real socket, each against what its parts say."""

from __future__ import annotations

import math

import httpx
import numpy as np
import pytest

from tests.service.media_files import clip, encoded, picture


def embed(client: httpx.Client, *items: dict[str, object]) -> np.ndarray:
    answer = client.post("/embed", json={"inputs": list(items)})
    assert answer.status_code == 200, answer.text
    return np.array([datum["embedding"] for datum in answer.json()["data"]])


COW, IMAGE, AUDIO = {"text": "a cow"}, {"image": encoded(picture(3))}, {"audio": encoded(clip(3))}


def test_similarity_is_the_cosine_of_the_vectors(client: httpx.Client) -> None:
    vectors = embed(client, COW, IMAGE, AUDIO)
    body = {"queries": [COW, IMAGE], "candidates": [AUDIO, COW, IMAGE], "probabilities": True}
    answer = client.post("/similarity", json=body).json()
    expected = vectors[:2] @ vectors[[2, 0, 1]].T
    np.testing.assert_allclose(answer["similarity"], expected, atol=1e-5)
    scale = math.exp(client.get("/info").json()["models"]["text"]["logit_scale"])
    exponents = np.exp(scale * expected)
    np.testing.assert_allclose(
        answer["probabilities"], exponents / exponents.sum(axis=1, keepdims=True), atol=1e-3, rtol=1e-3
    )


def test_similarity_takes_multipart(client: httpx.Client) -> None:
    fields = [
        ("query_text", (None, "a cow")),
        ("candidate_image", ("x", picture(3))),
        ("candidate_audio", ("y", clip(3))),
    ]
    answer = client.post("/similarity", files=fields, data={"probabilities": "true"}).json()
    body = {"queries": [COW], "candidates": [IMAGE, AUDIO], "probabilities": True}
    np.testing.assert_allclose(
        answer["similarity"], client.post("/similarity", json=body).json()["similarity"], atol=1e-5
    )
    assert len(answer["probabilities"][0]) == 2


def test_similarity_takes_vectors_of_any_length_and_checks_their_fingerprint(client: httpx.Client) -> None:
    vector = embed(client, COW)[0]
    fingerprint = client.get("/info").json()["fingerprint"]
    item = {"embedding": (vector * 7.5).tolist(), "fingerprint": fingerprint}
    answer = client.post("/similarity", json={"queries": [item], "candidates": [COW]})
    assert answer.json()["similarity"][0][0] == pytest.approx(1.0, abs=1e-5)
    item["fingerprint"] = fingerprint.upper()
    assert client.post("/similarity", json={"queries": [item], "candidates": [item]}).status_code == 200
    item["fingerprint"] = "0" * 64
    refused = client.post("/similarity", json={"queries": [item], "candidates": [COW]})
    assert refused.status_code == 422
    assert refused.json()["code"] == "fingerprint_mismatch"


def test_ground_gives_a_box_for_each_phrase_in_pixels_and_fractions(client: httpx.Client) -> None:
    body = {"image": encoded(picture(3, (640, 480))), "phrases": ["the cow", "the small dog on the left"]}
    answer = client.post("/ground", json=body).json()
    assert answer["image"] == {"width": 640, "height": 480}
    assert [box["phrase"] for box in answer["boxes"]] == body["phrases"]
    for box in answer["boxes"]:
        for edge, side in (("x0", 640), ("x1", 640), ("y0", 480), ("y1", 480)):
            fraction = box["box_normalized"][edge]
            assert 0 <= fraction <= 1
            assert box["box"][edge] == pytest.approx(fraction * side, abs=0.01)


def test_ground_by_multipart_and_alone_gives_the_same_boxes(client: httpx.Client) -> None:
    image = picture(4)
    fields = [("image", ("x", image)), ("phrase", (None, "the cow")), ("phrase", (None, "a very long phrase " * 5))]
    together = client.post("/ground", files=fields).json()["boxes"]
    for box in together:
        alone = client.post("/ground", json={"image": encoded(image), "phrases": [box["phrase"]]}).json()["boxes"][0]
        for edge, value in alone["box_normalized"].items():
            assert box["box_normalized"][edge] == pytest.approx(value, abs=1e-5)


def test_classify_is_the_softmax_over_the_prompts(client: httpx.Client) -> None:
    labels = ["cow", "dog", "bell"]
    template = "a drawing of a {}."
    answer = client.post("/classify", json={"input": IMAGE, "labels": labels, "template": template}).json()
    texts = [{"text": template.replace("{}", label)} for label in labels]
    body = {"queries": [IMAGE], "candidates": texts, "probabilities": True}
    expected = dict(zip(labels, client.post("/similarity", json=body).json()["probabilities"][0], strict=True))
    assert {entry["label"]: pytest.approx(entry["probability"], abs=1e-4) for entry in answer["labels"]} == expected
    probabilities = [entry["probability"] for entry in answer["labels"]]
    assert probabilities == sorted(probabilities, reverse=True)


def test_classify_of_a_sound_uses_the_papers_prompt(client: httpx.Client) -> None:
    plain = client.post(
        "/classify", files=[("audio", ("x", clip(3))), ("label", (None, "cow")), ("label", (None, "bell"))]
    )
    body = {"input": AUDIO, "labels": ["cow", "bell"], "template": "This is a sound of {}"}
    named = client.post("/classify", json=body)
    assert plain.json()["labels"] == [
        {
            **entry,
            "probability": pytest.approx(entry["probability"], abs=1e-5),
            "cosine": pytest.approx(entry["cosine"]),
        }
        for entry in named.json()["labels"]
    ]


@pytest.mark.parametrize("template", ["a photo", "{} and {}", ""])
def test_a_template_without_exactly_one_place_is_refused(client: httpx.Client, template: str) -> None:
    answer = client.post("/classify", json={"input": COW, "labels": ["x"], "template": template})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/template"


def test_audio_labels_are_the_trained_ones_best_first(client: httpx.Client) -> None:
    card = client.get("/info").json()["models"]["audio_labels"]
    every = client.post("/audio/labels", json={"audio": encoded(clip(3)), "top_k": 10_000}).json()
    assert len(every["labels"]) == card["num_labels"]
    assert sum(entry["probability"] for entry in every["labels"]) == pytest.approx(1.0, abs=1e-5)
    top = client.post("/audio/labels", files={"audio": ("x", clip(3))}, data={"top_k": "2"}).json()
    assert [entry["label"] for entry in top["labels"]] == [entry["label"] for entry in every["labels"][:2]]
    assert top["input"]["seconds"] == 1.5


@pytest.mark.parametrize("path", ["/vqa", "/audio/qa", "/image-pair"])
def test_a_model_that_is_not_in_the_repository_is_a_404_that_says_so(client: httpx.Client, path: str) -> None:
    answer = client.post(path, json={})
    assert answer.status_code == 404
    assert answer.json()["code"] == "model_not_served"


def test_info_shows_models_and_limits(client: httpx.Client) -> None:
    info = client.get("/info").json()
    assert {"text", "image", "audio", "grounding", "audio_labels"} <= info["models"].keys()
    assert info["limits"]["max_items"] == 128
    assert info["limits"]["max_tokens"]["text"] == 70
    assert {"max_body_bytes", "max_pixels", "max_audio_seconds", "max_queue", "deadline_ms"} <= info["limits"].keys()


def test_the_openapi_document_describes_every_body(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    for path in ("/embed", "/similarity", "/ground", "/classify", "/audio/labels"):
        operation = document["paths"][path]["post"]
        name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert schemas[name]["additionalProperties"] is False
        assert {"200", "400", "413", "422", "429", "503", "504"} <= operation["responses"].keys()
    assert "ONE-PEACE" in client.get("/docs").text


def test_health_and_metrics_answer(client: httpx.Client) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready", "engine": "ready"}
    text = client.get("/metrics").text
    assert 'onepeace_requests_total{endpoint="/health/ready",status="200"}' in text
    assert "onepeace_ready 1.0" in text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/embed", 405, "method_not_allowed"), ("POST", "/nothing", 404, "not_found")],
)
def test_wrong_paths_and_methods_are_problems(
    client: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert answer.json()["instance"] == path
