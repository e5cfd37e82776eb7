"""The client against the real server: every kind of item, over REST and gRPC, sync and async, beside plain HTTP."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from PIL import Image as PilImage

from onepeace_client import AsyncClient, Audio, Client, Fused, Image, InvalidInput, Vector, Windows
from tests.service.live_server import LiveServer
from tests.service.media_files import clip, encoded, picture

EXAMPLES = Path(__file__).parents[2] / "examples"
COW, MOO, SCENE = EXAMPLES / "cow.jpg", EXAMPLES / "moo.flac", EXAMPLES / "scene.jpg"
PICTURE, CLIP = picture(3), clip(3)


def pixels() -> np.ndarray:
    with PilImage.open(io.BytesIO(PICTURE)) as opened:
        return np.asarray(opened.convert("RGB"))


def samples() -> np.ndarray:
    return soundfile.read(io.BytesIO(CLIP), dtype="float32")[0]


COW_BASE64, MOO_BASE64 = encoded(COW.read_bytes()), encoded(MOO.read_bytes())
BOTH = [{"text": "a cow"}, {"image": COW_BASE64}]
KINDS: list[tuple[str, Any, dict[str, Any]]] = [
    ("text", "a cow", {"text": "a cow"}),
    ("empty text", "", {"text": ""}),
    ("text like a path", "examples/cow.jpg", {"text": "examples/cow.jpg"}),
    ("path of a picture", COW, {"image": COW_BASE64}),
    ("path of a sound", MOO, {"audio": MOO_BASE64}),
    ("bytes of a picture", PICTURE, {"image": encoded(PICTURE)}),
    ("bytes of a sound", CLIP, {"audio": encoded(CLIP)}),
    ("PIL picture", PilImage.fromarray(pixels()), {"image": encoded(PICTURE)}),
    ("array of a picture", pixels(), {"image": encoded(PICTURE)}),
    ("Image of a path", Image(COW), {"image": COW_BASE64}),
    ("Audio of a path", Audio(MOO), {"audio": MOO_BASE64}),
    ("Audio of an array", Audio(samples(), 16_000), {"audio": encoded(CLIP)}),
    (
        "fused",
        Fused(["a cow", COW], [1, 2.5]),
        {"parts": BOTH, "weights": [1, 2.5]},
    ),
    ("fused without weights", Fused(["a", MOO]), {"parts": [{"text": "a"}, {"audio": MOO_BASE64}]}),
]


@pytest.fixture(scope="module", params=["http", "grpc"])
def url(request: pytest.FixtureRequest, server: LiveServer) -> str:
    return server.url if request.param == "http" else f"grpc://{server.grpc_address}"


@pytest.fixture(scope="module")
def onepeace(url: str) -> Iterator[Client]:
    with Client(url) as opened:
        yield opened


def raw(server: LiveServer, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = httpx.post(server.url + path, json=body, timeout=60.0)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


@pytest.mark.parametrize(("item", "plain"), [kind[1:] for kind in KINDS], ids=[kind[0] for kind in KINDS])
async def test_each_kind_of_item_gives_the_vector_that_plain_http_gives(
    server: LiveServer, url: str, onepeace: Client, item: Any, plain: dict[str, Any]
) -> None:
    expected = raw(server, "/embed", {"inputs": [plain]})
    (datum,) = expected["data"]
    sync = await asyncio.to_thread(onepeace.embed, [item])
    async with AsyncClient(url) as client:
        concurrent = await client.embed([item])
    for answer in (sync, concurrent):
        assert answer.vectors.dtype == np.float32
        np.testing.assert_allclose(answer.vectors, [datum["embedding"]], atol=1e-6)
        assert (answer.model, answer.fingerprint) == (expected["model"], expected["fingerprint"])
        assert answer.inputs == (datum["input"],)
        assert answer.errors == {}


def test_mixed_items_keep_their_order(server: LiveServer, url: str, onepeace: Client) -> None:
    plain = [kind[2] for kind in KINDS]
    expected = [datum["embedding"] for datum in raw(server, "/embed", {"inputs": plain})["data"]]
    np.testing.assert_allclose(onepeace.embed([kind[1] for kind in KINDS]).vectors, expected, atol=1e-5)


def test_an_array_of_pictures_is_a_list_of_them(onepeace: Client) -> None:
    stack = np.stack([pixels(), pixels()[::-1]])
    np.testing.assert_allclose(onepeace.embed(stack).vectors, onepeace.embed(list(stack)).vectors, atol=1e-6)


async def test_similarity_gives_what_plain_http_gives(server: LiveServer, url: str, onepeace: Client) -> None:
    cow = onepeace.embed(["a cow"])
    queries = [MOO, Fused(["a cow", COW])]
    candidates = [COW, "a dog", Vector(cow.vectors[0], cow.fingerprint)]
    plain = {
        "queries": [{"audio": MOO_BASE64}, {"parts": BOTH}],
        "candidates": [{"image": COW_BASE64}, {"text": "a dog"}, {"embedding": cow.vectors[0].tolist()}],
        "probabilities": True,
    }
    expected = raw(server, "/similarity", plain)
    async with AsyncClient(url) as client:
        concurrent = await client.similarity(queries, candidates, probabilities=True)
    for answer in (onepeace.similarity(queries, candidates, probabilities=True), concurrent):
        np.testing.assert_allclose(answer.similarity, expected["similarity"], atol=1e-6)
        np.testing.assert_allclose(answer.probabilities, expected["probabilities"], atol=1e-5)
    assert onepeace.similarity([MOO], [COW]).probabilities is None


def test_similarity_refuses_a_vector_of_another_model(onepeace: Client) -> None:
    with pytest.raises(InvalidInput) as caught:
        onepeace.similarity(["a"], ["b", Vector(np.ones(128), "0" * 64)])
    assert caught.value.code == "fingerprint_mismatch"
    assert caught.value.errors[0].pointer.startswith("/candidates/1")


async def test_ground_gives_what_plain_http_gives(server: LiveServer, url: str, onepeace: Client) -> None:
    phrases = ["the purple bee", "the big bee"]
    expected = raw(server, "/ground", {"image": encoded(SCENE.read_bytes()), "phrases": phrases})
    corners = [list(found["box_normalized"].values()) for found in expected["boxes"]]
    async with AsyncClient(url) as client:
        concurrent = await client.ground(SCENE, phrases)
    for answer in (onepeace.ground(SCENE, phrases), concurrent):
        assert answer.phrases == tuple(phrases)
        np.testing.assert_allclose(answer.boxes_normalized, corners, atol=1e-6)
        np.testing.assert_allclose(answer.boxes, answer.boxes_normalized * 160, atol=0.01)
        assert (answer.width, answer.height) == (160, 160)


async def test_classify_gives_what_plain_http_gives(server: LiveServer, url: str, onepeace: Client) -> None:
    labels, template = ["dog", "cow"], "a drawing of a {}"
    body = {"input": {"image": COW_BASE64}, "labels": labels, "template": template}
    expected = raw(server, "/classify", body)
    async with AsyncClient(url) as client:
        concurrent = await client.classify(COW, labels, templates=template)
    for answer in (onepeace.classify(COW, labels, templates=template), concurrent):
        assert [(label, pytest.approx(probability, abs=1e-6)) for label, probability in answer] == [
            (scored["label"], scored["probability"]) for scored in expected["labels"]
        ]
        assert answer.input == expected["input"]
    assert onepeace.classify(Fused(["a cow", COW]), labels).labels[0] == "cow"


async def test_audio_labels_give_what_plain_http_gives(server: LiveServer, url: str, onepeace: Client) -> None:
    expected = raw(server, "/audio/labels", {"audio": MOO_BASE64, "top_k": 3})
    async with AsyncClient(url) as client:
        concurrent = await client.audio_labels(MOO, 3)
    for answer in (onepeace.audio_labels(MOO, 3), concurrent):
        assert answer.labels == tuple(scored["label"] for scored in expected["labels"])
        np.testing.assert_allclose(answer.probabilities, [s["probability"] for s in expected["labels"]], atol=1e-6)


async def test_info_gives_what_plain_http_gives(server: LiveServer, url: str, onepeace: Client) -> None:
    async with httpx.AsyncClient() as plain:
        expected = (await plain.get(server.url + "/info")).json()
    async with AsyncClient(url) as client:
        concurrent = await client.info()
    for answer in (onepeace.info(), concurrent):
        assert {key: answer.whole[key] for key in expected if key not in ("limits", "models")} == {
            key: value for key, value in expected.items() if key not in ("limits", "models")
        }
        assert answer.limits == expected["limits"]
        assert answer.models.keys() == expected["models"].keys()
        assert answer.models["text"]["logit_scale"] == expected["models"]["text"]["logit_scale"]
        assert answer.max_items == 128


def test_dimensions_that_the_model_was_not_trained_for_are_refused(onepeace: Client) -> None:
    with pytest.raises(InvalidInput) as caught:
        onepeace.embed(["a"], dimensions=7)
    assert caught.value.errors[0].pointer == "/dimensions"


def test_the_profile_adds_up(url: str) -> None:
    with Client(url) as client:
        client.embed(["a cow", COW])
        client.audio_labels(MOO)
        profile = client.profile()
    assert (profile.requests, profile.retries) == (3, 0)
    assert profile.bytes_sent > COW.stat().st_size + MOO.stat().st_size
    assert profile.bytes_received > 0
    assert all(profile.stages_s[stage] > 0 for stage in ("decode", "queue", "infer"))
    assert profile.elsewhere_s > 0
    assert sum(profile.stages_s.values()) + profile.elsewhere_s == pytest.approx(profile.seconds)
    assert sum(profile.means_ms.values()) == pytest.approx(1000 * profile.seconds / 3)
    assert "infer" in str(profile)
    assert "3 requests" in str(profile)


LONG = clip(7, 23.4)
WINDOWS = Windows(10, 5)
SPANS = [[0.0, 10.0], [5.0, 15.0], [10.0, 20.0], [15.0, 23.4]]


async def test_a_long_clip_has_the_windows_that_plain_http_gives(
    server: LiveServer, url: str, onepeace: Client
) -> None:
    expected = raw(server, "/embed", {"inputs": [{"audio": encoded(LONG)}], "windows": {"seconds": 10, "hop": 5}})
    (datum,) = expected["data"]
    items = ["a text", LONG, Fused(["a", LONG])]
    async with AsyncClient(url) as client:
        concurrent = await client.embed(items, windows=WINDOWS)
    for answer in (onepeace.embed(items, windows=WINDOWS), onepeace.embed(items[:2], windows=WINDOWS), concurrent):
        assert list(answer.windows) == [1]
        assert answer.windows[1].spans_s.tolist() == SPANS
        vectors = [window["embedding"] for window in datum["windows"]]
        np.testing.assert_allclose(answer.windows[1].vectors, vectors, atol=1e-5)
        np.testing.assert_allclose(answer.vectors[1], datum["embedding"], atol=1e-5)
    assert onepeace.embed([LONG]).windows == {}
    assert len(onepeace.embed([LONG], windows=Windows(10)).windows[0].spans_s) == 3


def test_a_long_clips_windows_are_labelled(server: LiveServer, onepeace: Client) -> None:
    body = {"audio": encoded(LONG), "top_k": 2, "windows": {"seconds": 10, "hop": 5}}
    expected = raw(server, "/audio/labels", body)
    answer = onepeace.audio_labels(LONG, 2, windows=WINDOWS)
    assert answer.labels == tuple(scored["label"] for scored in expected["labels"])
    assert [[window.start_s, window.end_s] for window in answer.windows] == SPANS
    for window, plain in zip(answer.windows, expected["windows"], strict=True):
        assert window.labels == tuple(scored["label"] for scored in plain["labels"])
        np.testing.assert_allclose(window.probabilities, [s["probability"] for s in plain["labels"]], atol=1e-5)


def test_wrong_items_are_told_alike_over_both_wires(onepeace: Client) -> None:
    wrong = ["a", Image(b"none"), Audio(b"none"), Fused(["a", Image(b"none")])]
    places = [("/inputs/1/image", "unreadable_image"), ("/inputs/2/audio", "unreadable_audio")]
    places.append(("/inputs/3/parts/1/image", "unreadable_image"))
    with pytest.raises(InvalidInput) as caught:
        onepeace.embed(wrong)
    assert (caught.value.code, caught.value.status) == ("invalid_request", 422)
    assert caught.value.request_id
    assert [(problem.pointer, problem.code) for problem in caught.value.errors] == places
    answer = onepeace.embed(wrong, on_error="report")
    assert [(problem.pointer, problem.code) for problem in answer.errors.values()] == places
    with pytest.raises(InvalidInput) as caught:
        onepeace.audio_labels(MOO, 0)
    (problem,) = caught.value.errors
    assert (problem.pointer, problem.code, problem.limit) == ("/top_k", "invalid_field", 1)


async def test_an_async_client_tells_wrong_items_alike(url: str) -> None:
    async with AsyncClient(url) as client:
        with pytest.raises(InvalidInput) as caught:
            await client.embed(["a", Image(b"none")])
    assert (caught.value.code, caught.value.status) == ("unreadable_image", 422)
