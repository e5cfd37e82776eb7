"""Large matrices of `/similarity`, over a real socket: streamed, equal to NumPy's product, bounded in memory."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server

DIMENSIONS = 128
ROWS = 1_500
MIB = 1024 * 1024


def unit_vectors(count: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSIONS))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def items(vectors: np.ndarray) -> list[dict[str, str]]:
    return [{"embedding": base64.b64encode(vector.astype("<f4").tobytes()).decode()} for vector in vectors]


QUERIES, CANDIDATES = unit_vectors(ROWS, 0), unit_vectors(ROWS, 1)
BODY = json.dumps({"queries": items(QUERIES), "candidates": items(CANDIDATES)})
HEADERS = {"content-type": "application/json", "accept-encoding": "identity"}


@pytest.fixture(scope="module")
def large() -> Iterator[LiveServer]:
    with live_server(REPOSITORY, max_items=2 * ROWS, max_queue=32 * ROWS) as server:
        yield server


def test_a_vector_in_base64_is_the_vector_in_numbers(client: httpx.Client) -> None:
    body = {"queries": items(QUERIES[:1]), "candidates": [{"embedding": QUERIES[0].tolist()}, *items(CANDIDATES[:1])]}
    row = client.post("/similarity", json=body).json()["similarity"][0]
    np.testing.assert_allclose(row, [1.0, QUERIES[0] @ CANDIDATES[0]], atol=1e-6)


@pytest.mark.parametrize(
    "vector",
    [
        "",
        "AAA",
        "!!!!",
        base64.b64encode(b"12345").decode(),
        base64.b64encode(b"1234").decode(),
        base64.b64encode(np.full(DIMENSIONS, np.nan, "<f4").tobytes()).decode(),
        base64.b64encode(np.zeros(DIMENSIONS, "<f4").tobytes()).decode(),
        "A" * 1_000_000,
        {"f": 1},
        None,
    ],
)
def test_a_vector_that_is_no_vector_is_refused_where_it_stands(client: httpx.Client, vector: object) -> None:
    answer = client.post("/similarity", json={"queries": [{"embedding": vector}], "candidates": [{"text": "a"}]})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/queries/0/embedding"]


def test_a_streamed_matrix_is_the_product(large: LiveServer) -> None:
    answer = httpx.post(large.url + "/similarity", content=BODY, headers=HEADERS, timeout=60)
    assert answer.headers["transfer-encoding"] == "chunked"
    body = answer.json()
    np.testing.assert_allclose(body["similarity"], QUERIES @ CANDIDATES.T, atol=1e-6)
    assert body["fingerprint"] == httpx.get(large.url + "/info").json()["fingerprint"]
    assert "probabilities" not in body


def test_streamed_probabilities_are_those_of_small_requests(large: LiveServer) -> None:
    few = {"queries": items(QUERIES[:300]), "candidates": items(CANDIDATES[:400]), "probabilities": True}
    streamed = httpx.post(large.url + "/similarity", json=few, timeout=60)
    assert streamed.headers["transfer-encoding"] == "chunked"
    small = httpx.post(large.url + "/similarity", json=few | {"queries": few["queries"][:2]}).json()  # type: ignore[index]
    np.testing.assert_allclose(streamed.json()["probabilities"][:2], small["probabilities"], rtol=1e-4)
    np.testing.assert_allclose(np.sum(streamed.json()["probabilities"], axis=1), 1.0, atol=1e-6)


def test_npy_gives_the_matrix_as_one_array(large: LiveServer) -> None:
    headers = HEADERS | {"accept": "application/x-npy"}
    answer = httpx.post(large.url + "/similarity", content=BODY, headers=headers, timeout=60)
    array = np.load(io.BytesIO(answer.content), allow_pickle=False)
    assert int(answer.headers["content-length"]) == len(answer.content)
    np.testing.assert_allclose(array, QUERIES @ CANDIDATES.T, atol=1e-6)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_stream_can_be_compressed(large: LiveServer, encoding: str) -> None:
    headers = HEADERS | {"accept-encoding": encoding}
    answer = httpx.post(large.url + "/similarity", content=BODY, headers=headers, timeout=60)
    assert answer.headers["content-encoding"] == encoding
    np.testing.assert_allclose(answer.json()["similarity"], QUERIES @ CANDIDATES.T, atol=1e-6)


def test_a_reader_who_stops_holds_little_memory_and_nobody_up(large: LiveServer) -> None:
    """The whole answer is more than what three readers of it, who stop, may add to the server's memory."""
    whole = len(httpx.post(large.url + "/similarity", content=BODY, headers=HEADERS, timeout=60).content)
    bound = 24 * MIB
    assert 3 * whole > 3 * bound
    before = large.resident_bytes()
    with httpx.Client(timeout=60) as client:
        request = client.build_request("POST", large.url + "/similarity", content=BODY, headers=HEADERS)
        answers = [client.send(request, stream=True) for _ in range(3)]
        time.sleep(1.0)
        assert httpx.post(large.url + "/embed", json={"inputs": [{"text": "a cow"}]}).status_code == 200
        assert large.resident_bytes() - before < bound
        for answer in answers:
            answer.close()


def test_a_reader_who_takes_nothing_is_left_and_its_place_given_back() -> None:
    before = "import service.http_protocol as protocol; protocol.STALLED_READER_S = 0.5"
    with (
        live_server(REPOSITORY, before=before, max_items=2 * ROWS, max_queue=2 * ROWS) as server,
        httpx.Client(timeout=60) as client,
    ):
        request = client.build_request("POST", server.url + "/similarity", content=BODY, headers=HEADERS)
        answer = client.send(request, stream=True)
        refused = client.post(server.url + "/embed", json={"inputs": [{"text": "a cow"}]})
        assert refused.status_code == 429
        end = time.monotonic() + 20
        while client.post(server.url + "/embed", json={"inputs": [{"text": "a cow"}]}).status_code == 429:
            assert time.monotonic() < end
            time.sleep(0.1)
        with pytest.raises(httpx.TransportError):
            answer.read()


def test_a_slow_reader_who_goes_on_reading_gets_everything() -> None:
    before = "import service.http_protocol as protocol; protocol.STALLED_READER_S = 0.5"
    with live_server(REPOSITORY, before=before, max_items=2 * ROWS, max_queue=2 * ROWS) as server:
        with (
            httpx.Client(timeout=60) as client,
            client.stream("POST", server.url + "/similarity", content=BODY, headers=HEADERS) as answer,
        ):
            pieces = []
            for piece in answer.iter_raw(2 * MIB):
                pieces.append(piece)
                time.sleep(0.2)
        assert np.shape(json.loads(b"".join(pieces))["similarity"]) == (ROWS, ROWS)
