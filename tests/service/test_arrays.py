"""Raw arrays by `Accept`, read by NumPy and Arrow themselves."""

from __future__ import annotations

import io
import json

import httpx
import numpy as np
import pyarrow as pa
import pytest

from tests.service.media_files import clip, encoded, picture

NPY, ARROW = "application/x-npy", "application/vnd.apache.arrow.stream"
ITEMS: list[dict[str, object]] = [{"text": "a cow"}, {"image": encoded(picture(1))}, {"audio": encoded(clip(1))}]
BAD = {"image": "AAAA"}


def ask(
    client: httpx.Client, accept: str, inputs: list[dict[str, object]] = ITEMS, **options: object
) -> httpx.Response:
    return client.post("/embed", json={"inputs": inputs, **options}, headers={"accept": accept})


def vectors(client: httpx.Client) -> np.ndarray:
    data = ask(client, "application/json").json()["data"]
    return np.array([datum["embedding"] for datum in data], dtype=np.float32)


def test_npy_is_one_float32_array_with_its_source_in_the_headers(client: httpx.Client) -> None:
    answer = ask(client, NPY)
    assert answer.headers["content-type"] == NPY
    array = np.load(io.BytesIO(answer.content), allow_pickle=False)
    assert array.dtype == np.float32
    np.testing.assert_allclose(array, vectors(client), atol=1e-6)
    info = client.get("/info").json()
    assert answer.headers["x-onepeace-fingerprint"] == info["fingerprint"]
    assert answer.headers["x-onepeace-model"] == info["model"]


@pytest.mark.parametrize(("encoding", "kind"), [("base64", "f4"), ("int8", "i1"), ("binary", "u1")])
def test_npy_of_other_encodings_has_their_type(client: httpx.Client, encoding: str, kind: str) -> None:
    array = np.load(io.BytesIO(ask(client, NPY, encoding=encoding).content), allow_pickle=False)
    exact = vectors(client)
    assert array.dtype == np.dtype(kind)
    if kind == "u1":
        np.testing.assert_array_equal(np.unpackbits(array, axis=1)[:, : exact.shape[1]], exact > 0)
    elif kind == "i1":
        back = array / np.linalg.norm(array.astype(float), axis=1, keepdims=True)
        np.testing.assert_allclose(back, exact, atol=2e-3)
    else:
        np.testing.assert_allclose(array, exact, atol=1e-6)


def test_npy_refuses_what_does_not_fit_one_array(client: httpx.Client) -> None:
    answer = ask(client, NPY, encoding=["float", "int8"], on_error="report", windows={"seconds": 2})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/encoding", "/on_error", "/windows"]


def test_an_error_is_a_problem_whatever_was_to_be_accepted(client: httpx.Client) -> None:
    for accept in (NPY, ARROW):
        answer = ask(client, accept, [BAD])
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"


def test_arrow_is_a_table_with_vectors_notes_and_errors(client: httpx.Client) -> None:
    inputs = [*ITEMS, BAD]
    answer = ask(client, ARROW, inputs, on_error="report", encoding=["float", "int8", "binary"])
    assert answer.headers["content-type"] == ARROW
    table = pa.ipc.open_stream(answer.content).read_all()
    exact = vectors(client)
    assert table["modality"].to_pylist() == ["text", "image", "audio", "image"]
    assert table["index"].to_pylist() == [0, 1, 2, 3]
    assert table["embedding"].null_count == 1
    np.testing.assert_allclose(table["embedding"].to_pylist()[:3], exact, atol=1e-6)
    assert table["embedding_int8"].type == pa.list_(pa.int8(), exact.shape[1])
    bits = [np.frombuffer(row, "u1") for row in table["embedding_binary"].to_pylist()[:3]]
    np.testing.assert_array_equal(np.unpackbits(np.array(bits), axis=1)[:, : exact.shape[1]], exact > 0)
    assert json.loads(table["input"][0].as_py()) == {"tokens": 2, "truncated": False}
    assert json.loads(table["error"][3].as_py())["code"] == "unreadable_image"
    assert table["error"].null_count == 3
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert metadata["fingerprint"] == client.get("/info").json()["fingerprint"]
    assert metadata["dimensions"] == str(exact.shape[1])


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/json, application/x-npy;q=0.5", "application/json"),
        ("application/json;q=0.4, application/x-npy;q=0.5", NPY),
        ("APPLICATION/X-NPY", NPY),
        ("application/x-npy;q=0", "application/json"),
        ("application/x-npy;q=nonsense", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
        (",;,;q=", "application/json"),
        (f"{'x, ' * 1000}application/x-npy", "application/json"),
    ],
)
def test_the_best_liked_form_is_given(client: httpx.Client, accept: str, wanted: str) -> None:
    assert ask(client, accept, [{"text": "a"}]).headers["content-type"] == wanted


def test_a_list_of_one_encoding_fits_one_array(client: httpx.Client) -> None:
    answer = ask(client, NPY, encoding=["int8"])
    assert answer.status_code == 200, answer.text
    assert np.load(io.BytesIO(answer.content)).dtype == np.int8


@pytest.mark.parametrize("accept", ["application/json", NPY, ARROW])
def test_answers_that_depend_on_accept_say_so(client: httpx.Client, accept: str) -> None:
    assert "accept" in ask(client, accept).headers["vary"].split(", ")
    pair = {"queries": ITEMS[:1], "candidates": ITEMS[:1]}
    assert "accept" in client.post("/similarity", json=pair, headers={"accept": accept}).headers["vary"].split(", ")
