"""`/classify` over a real socket, against what `/embed` says about its parts."""

from __future__ import annotations

import math

import httpx
import numpy as np
import pytest

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import encoded, picture
from tests.service.test_bad_input import MIB

IMAGE = {"image": encoded(picture(3))}
LABELS = ["cow", "dog", "bell"]
TEMPLATES = ["a photo of a {}", "a drawing of the {}.", "{}"]


def embed(client: httpx.Client, *items: dict[str, str]) -> np.ndarray:
    data = client.post("/embed", json={"inputs": list(items)}).json()["data"]
    return np.array([datum["embedding"] for datum in data])


def classify(client: httpx.Client, **options: object) -> httpx.Response:
    return client.post("/classify", json={"input": IMAGE, "labels": LABELS, **options})


def fields(answer: httpx.Response, name: str) -> dict[str, float]:
    assert answer.status_code == 200, answer.text
    return {entry["label"]: entry[name] for entry in answer.json()["labels"]}


@pytest.fixture
def scale(client: httpx.Client) -> float:
    return math.exp(client.get("/info").json()["models"]["text"]["logit_scale"])


def ensemble_cosines(client: httpx.Client, templates: list[str]) -> np.ndarray:
    (image,) = embed(client, IMAGE)
    cosines = []
    for label in LABELS:
        mean = embed(client, *({"text": template.replace("{}", label)} for template in templates)).mean(axis=0)
        cosines.append(image @ mean / np.linalg.norm(mean))
    return np.array(cosines)


def test_a_label_in_several_templates_is_the_mean_of_their_vectors(client: httpx.Client, scale: float) -> None:
    expected = ensemble_cosines(client, TEMPLATES)
    answer = classify(client, templates=TEMPLATES)
    got = fields(answer, "cosine")
    np.testing.assert_allclose([got[label] for label in LABELS], expected, atol=1e-5)
    exponents = np.exp(scale * expected)
    got = fields(answer, "probability")
    np.testing.assert_allclose([got[label] for label in LABELS], exponents / exponents.sum(), rtol=1e-3)
    assert "none_of_these" not in answer.json()


def test_a_threshold_is_the_cosine_of_none_of_these(client: httpx.Client, scale: float) -> None:
    cosines = ensemble_cosines(client, ["a photo of a {}"])
    threshold = float(cosines.max()) + 0.01
    exponents = np.exp(scale * np.append(cosines, threshold))
    answer = classify(client, threshold=threshold)
    got = fields(answer, "probability")
    shares = exponents / exponents.sum()
    np.testing.assert_allclose([got[label] for label in LABELS], shares[:-1], rtol=1e-3)
    assert answer.json()["none_of_these"] == pytest.approx(shares[-1], rel=1e-3)
    assert answer.json()["none_of_these"] > max(got.values())
    assert classify(client, threshold=-1).json()["none_of_these"] < 1e-6


def test_several_labels_at_once_are_independent_of_each_other(client: httpx.Client, scale: float) -> None:
    cosines = ensemble_cosines(client, ["a photo of a {}"])
    answer = classify(client, multi_label=True, threshold=0.2)
    each = 1 / (1 + np.exp(-scale * (cosines - 0.2)))
    got = fields(answer, "probability")
    np.testing.assert_allclose([got[label] for label in LABELS], each, rtol=1e-3)
    assert answer.json()["none_of_these"] == pytest.approx(float(np.prod(1 - each)), rel=1e-3)
    alone = client.post(
        "/classify", json={"input": IMAGE, "labels": ["dog"], "multi_label": True, "threshold": 0.2}
    ).json()
    assert alone["labels"][0]["probability"] == pytest.approx(got["dog"], abs=1e-5)


def test_multipart_takes_all_options(client: httpx.Client) -> None:
    given = [
        ("image", ("x", picture(3))),
        *(("label", (None, label)) for label in LABELS),
        *(("templates", (None, template)) for template in TEMPLATES),
        ("multi_label", (None, "true")),
        ("threshold", (None, "0.25")),
    ]
    form = client.post("/classify", files=given)
    plain = classify(client, templates=TEMPLATES, multi_label=True, threshold=0.25)
    assert fields(form, "probability") == pytest.approx(fields(plain, "probability"), abs=1e-5)


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ({"template": "a {}", "templates": ["the {}"]}, "/templates"),
        ({"templates": ["a {}", "no place"]}, "/templates/1"),
        ({"templates": ["{} and {}"]}, "/templates/0"),
        ({"templates": []}, "/templates"),
        ({"templates": "a {}"}, "/templates"),
        ({"templates": ["{}" + "x" * 1000]}, "/templates/0"),
        ({"multi_label": True}, "/threshold"),
        ({"multi_label": "yes"}, "/multi_label"),
        ({"threshold": 1.5}, "/threshold"),
        ({"threshold": -2}, "/threshold"),
        ({"threshold": "0.2"}, "/threshold"),
        ({"labels": []}, "/labels"),
        ({"labels": ["cow", 7]}, "/labels/1"),
    ],
)
def test_wrong_options_are_refused_where_they_stand(
    client: httpx.Client, options: dict[str, object], pointer: str
) -> None:
    answer = classify(client, **options)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_wrong_item_and_a_wrong_label_are_both_named(client: httpx.Client) -> None:
    body = {"input": {"image": "AAAA"}, "labels": ["cow", "x" * 40_000]}
    errors = client.post("/classify", json=body).json()["errors"]
    assert {error["pointer"] for error in errors} == {"/input/image", "/labels/1"}


def test_a_long_label_is_refused_before_it_stands_in_any_template(client: httpx.Client, server: LiveServer) -> None:
    body = {"labels": ["x" * 2 * MIB], "templates": [f"{{}} {number}" for number in range(120)]}
    classify(client)
    before = server.resident_bytes()
    (error,) = classify(client, **body).json()["errors"]
    assert (error["code"], error["pointer"]) == ("invalid_text", "/labels/0")
    limit = client.get("/info").json()["limits"]["max_text_bytes"]
    assert (error["limit"], error["actual"]) == (limit, 2 * MIB + len(" 119"))
    assert server.resident_bytes() - before < 64 * MIB


def test_a_label_may_be_as_long_as_the_longest_template_leaves_room(client: httpx.Client) -> None:
    limit = client.get("/info").json()["limits"]["max_text_bytes"]
    templates = ["{}", "aé {}"]
    label = "ü" * ((limit - 4) // 2)
    assert classify(client, labels=[label], templates=templates).status_code == 200
    answer = classify(client, labels=["cow", label + "x"], templates=templates)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/labels/1"]


def test_labels_that_come_again_are_not_embedded_again() -> None:
    with live_server(REPOSITORY) as server, httpx.Client(base_url=server.url, timeout=30) as client:

        def texts_run() -> float:
            name = 'onepeace_batch_size_sum{model="text"}'
            lines = client.get("/metrics").text.splitlines()
            return next((float(line.split()[1]) for line in lines if line.startswith(name)), 0.0)

        classify(client)
        first = texts_run()
        answer = classify(client)
        assert texts_run() == first
        classify(client, labels=[*LABELS, "train"])
        assert texts_run() == first + 1
        assert fields(answer, "probability").keys() == set(LABELS)


def test_more_prompts_than_the_queue_holds_are_refused_with_the_limit() -> None:
    with live_server(REPOSITORY, max_items=40, max_queue=100) as server:
        body = {
            "input": {"text": "x"},
            "labels": [f"label {i}" for i in range(20)],
            "templates": [f"{{}} {i}" for i in range(10)],
        }
        answer = httpx.post(server.url + "/classify", json=body)
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert (error["code"], error["limit"], error["actual"]) == ("too_many_items", 99, 200)
