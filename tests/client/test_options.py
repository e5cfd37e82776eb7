"""Each option of each call against the real server, over both protocols and with both clients, beside plain HTTP."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tokenizers import Tokenizer

from onepeace_client import Client, Fused, Image, InvalidInput, Tokens, Windows
from tests.client.callers import Caller
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer
from tests.service.media_files import clip, encoded

EXAMPLES = Path(__file__).parents[2] / "examples"
COW, SCENE = EXAMPLES / "cow.jpg", EXAMPLES / "scene.jpg"
LABELS = ["dog", "cow", "bell"]
TEMPLATES = ["a photo of a {}", "a drawing of a {}"]
DTYPES = {"int8": "i1", "binary": "u1"}


def raw(server: LiveServer, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = httpx.post(server.url + path, json=body, timeout=60.0)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


@pytest.mark.parametrize("encoding", ["int8", "binary"])
async def test_encoded_vectors_are_those_that_plain_http_gives(
    server: LiveServer, caller: Caller, encoding: str
) -> None:
    body = {"inputs": [{"text": "a cow"}, {"image": encoded(COW.read_bytes())}], "encoding": encoding}
    expected = [base64.b64decode(datum["embedding"]) for datum in raw(server, "/embed", body)["data"]]
    answer = await caller.call("embed", ["a cow", COW], encoding=encoding)
    found = getattr(answer, encoding)
    assert found.dtype == np.dtype(DTYPES[encoding])
    assert found.shape == (2, 128 if encoding == "int8" else 16)
    np.testing.assert_array_equal(found, [np.frombuffer(data, DTYPES[encoding]) for data in expected])
    with pytest.raises(ValueError, match=f"asked for as {encoding}, not as float"):
        _ = answer.vectors


async def test_several_encodings_come_from_one_call(caller: Caller) -> None:
    items = ["a cow", COW, Fused(["a cow", COW])]
    answer = await caller.call("embed", items, encoding=["float", "int8", "binary"])
    plain = await caller.call("embed", items)
    np.testing.assert_allclose(answer.vectors, plain.vectors, atol=1e-6)
    scaled = 127 * answer.vectors / np.abs(answer.vectors).max(axis=1, keepdims=True)
    np.testing.assert_allclose(answer.int8, scaled, atol=0.51)
    np.testing.assert_array_equal(np.unpackbits(answer.binary, axis=1), answer.vectors > 0)


async def test_windows_and_wrong_items_have_the_encodings_too(caller: Caller) -> None:
    items = [clip(7, 23.4), Image(b"none"), "a"]
    options = {"encoding": ("int8", "binary"), "windows": Windows(10, 5), "on_error": "report"}
    answer = await caller.call("embed", items, **options)
    assert list(answer.errors) == [1]
    assert not answer.int8[1].any()
    assert not answer.binary[1].any()
    assert answer.int8[[0, 2]].any(axis=1).all()
    assert (answer.windows[0].int8.shape, answer.windows[0].int8.dtype) == ((4, 128), np.int8)
    assert (answer.windows[0].binary.shape, answer.windows[0].binary.dtype) == ((4, 16), np.uint8)


@pytest.mark.parametrize("encoding", ["base64", "", [], ["int8", "int8"], ["float", "f32"]])
def test_an_encoding_that_is_none_is_refused(encoding: Any) -> None:
    with Client("http://127.0.0.1:9") as client:
        with pytest.raises(ValueError, match="encoding must be one or several of float, int8, binary"):
            client.embed(["a"], encoding=encoding)
        with pytest.raises(ValueError, match="encoding must be"):
            client.embed_stream(["a"], encoding=encoding)


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({}, {}),
        ({"templates": TEMPLATES[0]}, {"templates": TEMPLATES[:1]}),
        ({"templates": TEMPLATES}, {"templates": TEMPLATES}),
        ({"threshold": 0.48}, {"threshold": 0.48}),
        ({"threshold": 0.0}, {"threshold": 0.0}),
        (
            {"templates": TEMPLATES, "multi_label": True, "threshold": 0.4},
            {"templates": TEMPLATES, "multi_label": True, "threshold": 0.4},
        ),
    ],
)
@pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])
async def test_classify_gives_what_plain_http_gives(
    server: LiveServer, caller: Caller, options: dict[str, Any], body: dict[str, Any], fused: bool
) -> None:
    image = {"image": encoded(COW.read_bytes())}
    item, plain = (Fused([COW, "a cow"]), {"parts": [image, {"text": "a cow"}]}) if fused else (COW, image)
    expected = raw(server, "/classify", {"input": plain, "labels": LABELS, **body})
    answer = await caller.call("classify", item, LABELS, **options)
    assert answer.labels == tuple(scored["label"] for scored in expected["labels"])
    np.testing.assert_allclose(answer.probabilities, [s["probability"] for s in expected["labels"]], atol=1e-5)
    np.testing.assert_allclose(answer.cosines, [s["cosine"] for s in expected["labels"]], atol=1e-5)
    assert ("threshold" in options) == (answer.none_of_these is not None)
    assert answer.none_of_these == pytest.approx(expected.get("none_of_these"), abs=1e-5)


async def test_labels_that_dont_exclude_each_other_need_a_threshold(caller: Caller) -> None:
    with pytest.raises(InvalidInput, match="threshold"):
        await caller.call("classify", COW, LABELS, multi_label=True)


async def test_the_trained_heads_labels_have_no_cosines(caller: Caller) -> None:
    answer = await caller.call("audio_labels", EXAMPLES / "moo.flac")
    assert (answer.cosines, answer.none_of_these) == (None, None)


async def test_boxes_have_the_scores_that_plain_http_gives(server: LiveServer, caller: Caller) -> None:
    phrases = ["a bee", "the guitar"]
    body = {"image": encoded(SCENE.read_bytes()), "phrases": phrases, "scores": True}
    expected = [found["score"] for found in raw(server, "/ground", body)["boxes"]]
    answer = await caller.call("ground", SCENE, phrases, scores=True)
    np.testing.assert_allclose(answer.scores, expected, atol=1e-4)
    assert answer.scores[0] > 0.48
    assert (await caller.call("ground", SCENE, phrases)).scores is None


async def test_ids_are_the_text_that_they_stand_for(caller: Caller) -> None:
    tokenizer = Tokenizer.from_file(str(REPOSITORY / "text" / "tokenizer.json"))
    ids = tokenizer.encode("a cow").ids
    tokens = Tokens(ids), Tokens(np.array(ids[:-1], np.int64)), Fused([Tokens(ids), COW])
    answer = await caller.call("embed", [*tokens, "a cow", Fused(["a cow", COW])])
    np.testing.assert_allclose(answer.vectors[:3], answer.vectors[[3, 3, 4]], atol=1e-5)
    assert answer.inputs[0] == {"tokens": 2, "truncated": False}
    cosines = (await caller.call("similarity", [tokens[0]], ["a cow", Tokens(ids)])).similarity
    np.testing.assert_allclose(cosines, [[1.0, 1.0]], atol=1e-5)


async def test_ids_that_the_model_does_not_know_are_named(caller: Caller) -> None:
    with pytest.raises(InvalidInput) as caught:
        await caller.call("embed", ["a", Tokens([4, 2**31 - 1])])
    assert caught.value.errors[0].pointer.startswith("/inputs/1/tokens")
