"""Encodings of vectors over a real socket: every one against the plain numbers."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.repository import REPOSITORY
from tests.service.live_server import live_server
from tests.service.media_files import clip, encoded, picture

ITEMS = [{"text": "a cow"}, {"image": encoded(picture(1))}, {"audio": encoded(clip(1))}]
KINDS = {"base64": "<f4", "int8": "i1", "binary": "u1"}


def embed(client: httpx.Client, **options: object) -> list[dict[str, object]]:
    answer = client.post("/embed", json={"inputs": ITEMS, **options})
    assert answer.status_code == 200, answer.text
    data: list[dict[str, object]] = answer.json()["data"]
    return data


@pytest.fixture(scope="module")
def plain(client: httpx.Client) -> np.ndarray:
    return np.array([datum["embedding"] for datum in embed(client)], dtype=np.float32)


def numbers(value: object, kind: str) -> np.ndarray:
    assert isinstance(value, str)
    return np.frombuffer(base64.b64decode(value), KINDS[kind])


def test_base64_holds_the_same_float32(client: httpx.Client, plain: np.ndarray) -> None:
    got = np.stack([numbers(datum["embedding"], "base64") for datum in embed(client, encoding="base64")])
    np.testing.assert_allclose(got, plain, atol=1e-6)


def test_several_encodings_in_one_call_agree_with_each_other(client: httpx.Client) -> None:
    for datum in embed(client, encoding=["float", "base64", "int8", "binary"]):
        assert "embedding" not in datum
        given = datum["embeddings"]
        assert isinstance(given, dict)
        exact = np.array(given["float"], dtype=np.float32)
        np.testing.assert_array_equal(numbers(given["base64"], "base64"), exact)
        small = numbers(given["int8"], "int8")
        np.testing.assert_array_equal(small, np.rint(exact * (127 / np.abs(exact).max())))
        bits = numbers(given["binary"], "binary")
        np.testing.assert_array_equal(np.unpackbits(bits)[: len(exact)], exact > 0)
        assert len(bits) == -(-len(exact) // 8)


def test_one_encoding_in_a_list_is_still_named(client: httpx.Client) -> None:
    assert list(embed(client, encoding=["int8"])[0]["embeddings"]) == ["int8"]  # type: ignore[call-overload]


def test_multipart_takes_one_encoding_or_several(client: httpx.Client) -> None:
    one = client.post("/embed", files=[("text", (None, "a cow")), ("encoding", (None, "binary"))]).json()
    assert isinstance(one["data"][0]["embedding"], str)
    fields = [("text", (None, "a cow")), ("encoding", (None, "binary")), ("encoding", (None, "float"))]
    several = client.post("/embed", files=fields).json()["data"][0]["embeddings"]
    assert several["binary"] == one["data"][0]["embedding"]
    assert len(several["float"]) == one["dimensions"]


@pytest.mark.parametrize(
    ("encoding", "pointer"),
    [
        ("hex", "/encoding"),
        (7, "/encoding"),
        ([], "/encoding"),
        (["float", "hex"], "/encoding/1"),
        (["int8", "int8"], "/encoding"),
        ([["int8"]], "/encoding/0"),
        ({"float": True}, "/encoding"),
    ],
)
def test_an_unknown_encoding_is_refused_where_it_stands(client: httpx.Client, encoding: object, pointer: str) -> None:
    answer = client.post("/embed", json={"inputs": ITEMS, "encoding": encoding})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("dimensions", [1, 64, 127, 129, 1_000_000, 0, -5, "64", 64.5, True])
def test_dimensions_that_the_model_was_not_trained_for_are_refused(client: httpx.Client, dimensions: object) -> None:
    answer = client.post("/embed", json={"inputs": ITEMS, "dimensions": dimensions})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/dimensions"


def test_all_dimensions_may_be_named(client: httpx.Client, plain: np.ndarray) -> None:
    got = [datum["embedding"] for datum in embed(client, dimensions=plain.shape[1])]
    np.testing.assert_allclose(got, plain, atol=1e-6)


def test_dimensions_that_every_card_names_shorten_and_renormalise(plain: np.ndarray, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(REPOSITORY, repository)
    for model, trained in (("text", [32, 64]), ("image", [64]), ("audio", [64, 100])):
        card = json.loads((repository / model / "card.json").read_text())
        (repository / model / "card.json").write_text(json.dumps(card | {"trained_dimensions": trained}))
    with live_server(repository) as server:
        body = {"inputs": ITEMS, "dimensions": 64}
        answer = httpx.post(server.url + "/embed", json=body).json()
        refused = httpx.post(server.url + "/embed", json=body | {"dimensions": 32})
    assert answer["dimensions"] == 64
    heads = plain[:, :64] / np.linalg.norm(plain[:, :64], axis=1, keepdims=True)
    np.testing.assert_allclose([datum["embedding"] for datum in answer["data"]], heads, atol=1e-5)
    assert "64, 128" in refused.json()["detail"]
