"""Compressed answers over a real socket, opened by the libraries that clients use."""

from __future__ import annotations

import gzip
import http.client
import json

import numpy as np
import pytest
import zstandard

from tests.service.live_server import LiveServer

MANY = json.dumps({"inputs": [{"text": f"text number {i}"} for i in range(64)]})
ONE = json.dumps({"inputs": [{"text": "a cow"}]})


def post(server: LiveServer, body: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """Without a client that opens the answer by itself."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", "/embed", body, {"content-type": "application/json", **named})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def opened(encoding: str | None, content: bytes) -> bytes:
    if encoding == "zstd":
        with zstandard.ZstdDecompressor().stream_reader(content) as reader:
            return reader.read()
    return gzip.decompress(content) if encoding == "gzip" else content


def embeddings(content: bytes) -> np.ndarray:
    return np.array([datum["embedding"] for datum in json.loads(content)["data"]])


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_a_large_answer_is_compressed_on_request(server: LiveServer, encoding: str) -> None:
    plain, whole = post(server, MANY)
    assert plain.headers["content-encoding"] is None
    response, content = post(server, MANY, accept_encoding=encoding)
    assert response.headers["content-encoding"] == encoding
    assert response.headers["vary"] == plain.headers["vary"] == "accept, accept-encoding"
    assert int(response.headers["content-length"]) == len(content) < 0.7 * len(whole)
    np.testing.assert_allclose(embeddings(opened(encoding, content)), embeddings(whole), atol=1e-6)


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip;q=0.5, zstd", "zstd"),
        ("zstd;q=0.1, gzip", "gzip"),
        ("gzip, deflate, br, zstd", "gzip"),
        ("zstd;q=0, gzip;q=0", None),
        ("br, deflate, identity", None),
        ("*", None),
    ],
)
def test_the_callers_order_counts(server: LiveServer, accepted: str, encoding: str | None) -> None:
    response, content = post(server, MANY, accept_encoding=accepted)
    assert response.headers["content-encoding"] == encoding
    assert len(embeddings(opened(encoding, content))) == 64


def test_a_short_answer_is_left_alone(server: LiveServer) -> None:
    response, content = post(server, ONE, accept_encoding="zstd, gzip")
    assert response.headers["content-encoding"] is None
    assert len(embeddings(content)) == 1


def test_raw_arrays_are_left_alone(server: LiveServer) -> None:
    response, _ = post(server, MANY, accept_encoding="zstd, gzip", accept="application/x-npy")
    assert response.headers["content-encoding"] is None
