"""Hostile and broken requests over a real socket: a clear error, never a 500, and no memory kept."""

from __future__ import annotations

import socket
import struct
import time
import zlib
from collections.abc import Callable

import httpx
import numpy as np
import pytest

from tests.service.live_server import LiveServer
from tests.service.media_files import clip, encode_clip, encoded, picture

MIB = 1024 * 1024
LIMIT = 8 * MIB
JSON = {"Content-Type": "application/json"}
GOOD_TEXT = {"text": "a cow"}


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    """Checks a problem document and returns its first error."""
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code", "request_id", "errors"} <= body.keys()
    assert body["status"] == status
    assert body["code"] == code
    assert len(answer.content) < 16_384
    first: dict[str, object] = body["errors"][0]
    return first


def png_header(width: int, height: int) -> bytes:
    """A PNG that says its size and then has almost no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def wav_with_length(length: int) -> bytes:
    """A good WAV whose header claims another number of bytes."""
    data = bytearray(clip(1))
    place = data.index(b"data") + 4
    data[place : place + 4] = struct.pack("<I", length)
    return bytes(data)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="10" height="10"/></svg>'
BAD_IMAGES: dict[str, Callable[[], bytes]] = {
    "0 bytes": lambda: b"",
    "truncated JPEG": lambda: picture(1, (400, 300), "JPEG")[:4000],
    "truncated PNG": lambda: picture(1, (400, 300))[:2000],
    "text named .jpg": lambda: b"this is not a picture at all\n" * 50,
    "SVG": lambda: SVG,
    "PDF": lambda: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer <<>>\n%%EOF",
    "a sound": lambda: clip(1),
    "header only": lambda: b"\xff\xd8\xff\xe0",
}
BAD_SOUNDS: dict[str, Callable[[], bytes]] = {
    "0 bytes": lambda: b"",
    "0 samples": lambda: encode_clip(np.zeros((0, 1))),
    "NaN samples": lambda: encode_clip(np.full((16_000, 1), np.nan), subtype="FLOAT"),
    "one infinite sample": lambda: encode_clip(np.r_[np.zeros(8000), np.inf, np.zeros(8000)], subtype="FLOAT"),
    "text": lambda: b"la la la" * 100,
    "a picture": lambda: picture(1),
    "RIFF header only": lambda: b"RIFF\x24\0\0\0WAVEfmt ",
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_pictures_are_refused(client: httpx.Client, name: str) -> None:
    data = BAD_IMAGES[name]()
    error = refused(client.post("/embed", files={"image": ("photo.jpg", data)}), 422, "unreadable_image")
    assert error["pointer"] == "/inputs/0/image"
    refused(client.post("/embed", json={"inputs": [{"image": encoded(data)}]}), 422, "unreadable_image")


@pytest.mark.parametrize("name", BAD_SOUNDS)
def test_bad_sounds_are_refused(client: httpx.Client, name: str) -> None:
    data = BAD_SOUNDS[name]()
    for path in ("/embed", "/audio/labels"):
        refused(client.post(path, files={"audio": ("clip.wav", data)}), 422, "unreadable_audio")


def test_a_huge_picture_is_refused_by_its_header(client: httpx.Client, server: LiveServer) -> None:
    before = server.resident_bytes()
    answer = client.post("/embed", files={"image": ("x.png", png_header(50_000, 50_000))})
    error = refused(answer, 422, "image_too_large")
    assert error["actual"] == 2_500_000_000
    assert error["limit"] == client.get("/info").json()["limits"]["max_pixels"]
    assert server.resident_bytes() - before < 32 * MIB


def test_an_hour_of_silence_is_refused_by_its_header(client: httpx.Client, server: LiveServer) -> None:
    data = encode_clip(np.zeros(3600 * 16_000, dtype=np.int16), form="FLAC")
    assert len(data) < LIMIT
    before = server.resident_bytes()
    error = refused(client.post("/embed", files={"audio": ("x.flac", data)}), 422, "audio_too_long")
    assert error["actual"] == 3600
    assert server.resident_bytes() - before < 32 * MIB


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFF0, 100_000_000])
def test_a_wav_whose_header_claims_too_much_is_decoded_as_far_as_it_goes(client: httpx.Client, length: int) -> None:
    good = client.post("/embed", files={"audio": ("x.wav", clip(1))}).json()["data"][0]
    answer = client.post("/embed", files={"audio": ("x.wav", wav_with_length(length))})
    assert answer.status_code == 200, answer.text
    np.testing.assert_allclose(answer.json()["data"][0]["embedding"], good["embedding"], atol=1e-5)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_body"),
        (b"{", 400, "malformed_body"),
        (b"\xff\xfe", 400, "malformed_body"),
        (b"[" * 20_000 + b"]" * 20_000, 400, "malformed_body"),
        (b'{"inputs":' * 20_000, 400, "malformed_body"),
        (b'{"inputs": [{"text": "\\ud800"}]}', 400, "malformed_body"),
        (b'{"inputs": [{"text": "x", "weight": NaN}]}', 400, "malformed_body"),
        (b"[]", 422, "invalid_field"),
        (b"null", 422, "invalid_field"),
        (b"{}", 422, "invalid_field"),
        (b'{"inputs": []}', 422, "invalid_field"),
        (b'{"inputs": {}}', 422, "invalid_field"),
        (b'{"inputs": [{}]}', 422, "invalid_field"),
        (b'{"inputs": ["text"]}', 422, "invalid_field"),
        (b'{"inputs": [{"text": 5}]}', 422, "invalid_field"),
        (b'{"inputs": [{"text": null}]}', 422, "invalid_field"),
        (b'{"inputs": [{"text": "x", "colour": "red"}]}', 422, "invalid_field"),
        (b'{"inputs": [{"text": "x"}], "normalise": true}', 422, "invalid_field"),
        (b'{"inputs": [{"text": "x"}], "encoding": "morse"}', 422, "invalid_field"),
        (b'{"inputs": [{"text": "x", "image": ""}]}', 422, "invalid_field"),
        (b'{"inputs": [{"parts": []}]}', 422, "invalid_field"),
        (b'{"inputs": [{"parts": [{"text": "x"}], "weights": [1, 2]}]}', 422, "invalid_field"),
        (b'{"inputs": [{"parts": [{"parts": [{"text": "x"}]}]}]}', 422, "invalid_field"),
        (b'{"inputs": [{"embedding": [1.0]}]}', 422, "invalid_field"),
        (b'{"inputs": [{"image": "not base64!"}]}', 422, "invalid_base64"),
        (b'{"inputs": [{"audio": "QUJD="}]}', 422, "invalid_base64"),
        (b'{"inputs": [{"image": "data:image/png,abc"}]}', 422, "invalid_base64"),
    ],
)
def test_bad_json_is_refused(client: httpx.Client, body: bytes, status: int, code: str) -> None:
    refused(client.post("/embed", content=body, headers=JSON), status, code)


def test_a_flood_of_wrong_numbers_is_refused_quickly_and_without_memory(
    client: httpx.Client, server: LiveServer
) -> None:
    """One error for each of two million numbers would take gigabytes."""
    vectors = ",".join(['{"embedding": [' + ",".join(['""'] * 60_000) + "]}"] * 12)
    body = f'{{"queries": [{vectors}], "candidates": [{{"text": "x"}}]}}'.encode()
    before, started = server.resident_bytes(), time.monotonic()
    answer = client.post("/similarity", content=body, headers=JSON)
    assert refused(answer, 422, "invalid_request")["code"] == "invalid_field"
    assert time.monotonic() - started < 3
    assert server.resident_bytes() - before < 160 * MIB


@pytest.mark.parametrize("unit", [b"{},", b"[],", b"0,", b'"",'])
def test_json_of_millions_of_values_is_refused_before_it_is_built(
    client: httpx.Client, server: LiveServer, unit: bytes
) -> None:
    body = b'{"inputs": [' + unit * ((LIMIT - 100) // len(unit)) + b"0]}"
    before = server.resident_bytes()
    error = refused(client.post("/embed", content=body, headers=JSON), 413, "body_too_large")
    assert error["limit"] == 1_000_000
    assert server.resident_bytes() - before < 64 * MIB


def test_an_object_of_many_fields_is_refused(client: httpx.Client) -> None:
    many = {f"field{i}": 1 for i in range(100_000)}
    refused(client.post("/embed", json=many), 422, "invalid_field")
    refused(client.post("/embed", json={"inputs": [{"text": "x"} | many]}), 422, "invalid_field")
    refused(client.post("/classify", json={"input": many, "labels": ["x"]}), 422, "invalid_field")
    fused = {"parts": [GOOD_TEXT], "weights": [1] * 1000}
    refused(client.post("/embed", json={"inputs": [fused]}), 422, "too_many_items")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/embed", ["inputs", "text"]),
        ("/ground", ["phrases", "phrase"]),
        ("/classify", ["labels", "label"]),
        ("/similarity", ["queries", "query_text"]),
        ("/audio/labels", ["audio ", "top_k"]),
    ],
)
def test_a_multipart_field_that_has_no_meaning_is_named(client: httpx.Client, path: str, fields: list[str]) -> None:
    answer = client.post(path, files=[(name, (None, "x")) for name in fields])
    assert refused(answer, 422, "invalid_field")["pointer"] == f"/{fields[0]}"


def test_idle_uploads_do_not_lock_others_out(client: httpx.Client, server: LiveServer) -> None:
    head = f"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {LIMIT}\r\n\r\n{{"
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    try:
        for connection in idle:
            connection.sendall(head.encode())
        time.sleep(0.2)
        assert client.post("/embed", json={"inputs": [GOOD_TEXT]}).status_code == 200
    finally:
        for connection in idle:
            connection.close()


@pytest.mark.parametrize("weights", [[1e308, 1e308], [1e-300, 1e-300], [1e-9, 1e-9]])
def test_only_the_ratio_of_weights_matters(client: httpx.Client, weights: list[float]) -> None:
    parts = [GOOD_TEXT, {"text": "a dog"}]
    body = {"inputs": [{"parts": parts, "weights": weights}, {"parts": parts}]}
    data = client.post("/embed", json=body).json()["data"]
    np.testing.assert_allclose(data[0]["embedding"], data[1]["embedding"], atol=1e-6)
    assert np.linalg.norm(data[0]["embedding"]) == pytest.approx(1.0, abs=1e-5)


def test_items_and_parts_are_counted_over_the_whole_request(client: httpx.Client) -> None:
    half = [GOOD_TEXT] * 65
    error = refused(client.post("/similarity", json={"queries": half, "candidates": half}), 422, "too_many_items")
    assert (error["limit"], error["actual"]) == (128, 130)
    fused = [{"parts": [GOOD_TEXT] * 65}] * 2
    refused(client.post("/embed", json={"inputs": fused}), 422, "too_many_items")


FULL = [GOOD_TEXT] * 128
ALL_OF_EMBED = {"encoding": ["float", "base64", "int8", "binary"], "windows": {"seconds": 2, "hop": 1}}
ALL_OF_CLASSIFY = {"templates": ["a {}", "the {}"], "multi_label": True, "threshold": 0.2}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/embed", {"inputs": FULL, "on_error": "report", "dimensions": 128, **ALL_OF_EMBED}),
        ("/embed", {"inputs": [{"parts": FULL, "weights": [1] * 128}], **ALL_OF_EMBED}),
        ("/similarity", {"queries": FULL[:64], "candidates": FULL[64:], "probabilities": True}),
        ("/ground", {"image": encoded(picture(1)), "phrases": ["a cow"] * 128, "scores": True}),
        ("/classify", {"input": GOOD_TEXT, "labels": [f"x{i}" for i in range(126)], **ALL_OF_CLASSIFY}),
        ("/classify", {"input": {"parts": FULL[:100]}, "labels": [f"x{i}" for i in range(28)], "template": "a {}"}),
    ],
)
def test_max_items_are_taken_with_every_option_and_one_more_is_not(
    client: httpx.Client, path: str, body: dict[str, object]
) -> None:
    assert client.post(path, json=body).status_code == 200
    grown = "labels" if path == "/classify" else "phrases" if path == "/ground" else next(iter(body))
    entries = body[grown]
    assert isinstance(entries, list)
    error = refused(client.post(path, json=body | {grown: [*entries, entries[-1]]}), 422, "too_many_items")
    assert (error["limit"], error["actual"]) == (128, 129 if "weights" not in str(body) else 256)


def test_options_that_are_long_lists_are_refused_shortly(client: httpx.Client) -> None:
    for wrong in ([""] * 100_000, [{}] * 100_000, ["float"] * 100_000):
        answer = client.post("/embed", json={"inputs": [GOOD_TEXT], "encoding": wrong})
        assert refused(answer, 422, "invalid_field")["pointer"] in ("/encoding", "/encoding/0")


def test_a_bad_label_and_cancelling_parts_are_pointed_at(client: httpx.Client) -> None:
    answer = client.post("/classify", json={"input": GOOD_TEXT, "labels": ["x", "y" * 100_000]})
    assert refused(answer, 422, "invalid_text")["pointer"] == "/labels/1"
    cancelling = {"parts": [GOOD_TEXT, GOOD_TEXT], "weights": [1, -1]}
    answer = client.post("/embed", json={"inputs": [GOOD_TEXT, cancelling, cancelling]})
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/inputs/1", "/inputs/2"]


def test_under_report_items_of_a_wrong_form_harm_no_other(client: httpx.Client) -> None:
    items = [{"text": 5}, GOOD_TEXT, {}, {"image": "AAAA"}, {"text": "x", "colour": "red"}]
    answer = client.post("/embed", json={"inputs": items, "on_error": "report"})
    data = answer.json()["data"]
    pointers = [datum["error"]["pointer"] if "error" in datum else None for datum in data]
    assert pointers == ["/inputs/0/text", None, "/inputs/2", "/inputs/3/image", "/inputs/4/colour"]
    failed = client.post("/embed", json={"inputs": items})
    assert len(failed.json()["errors"]) == 4


def test_head_is_answered_and_slashes_do_not_redirect(client: httpx.Client) -> None:
    assert client.head("/health/ready").status_code == 200
    assert client.head("/health/ready").content == b""
    refused(client.post("/embed/", json={"inputs": [GOOD_TEXT]}), 404, "not_found")


def test_an_unknown_field_is_named(client: httpx.Client) -> None:
    answer = client.post("/embed", json={"inputs": [GOOD_TEXT, {"text": "x", "colour": "red"}]})
    assert refused(answer, 422, "invalid_field")["pointer"] == "/inputs/1/colour"


def test_a_text_of_one_megabyte_is_refused(client: httpx.Client) -> None:
    error = refused(client.post("/embed", json={"inputs": [{"text": "x" * 1_000_000}]}), 422, "invalid_text")
    assert error["limit"] == client.get("/info").json()["limits"]["max_text_bytes"]
    assert error["actual"] == 1_000_000


def test_nul_bytes_are_text_like_any_other(client: httpx.Client) -> None:
    answer = client.post("/embed", json={"inputs": [{"text": "a\0b"}, {"text": "\0"}]})
    assert answer.status_code == 200


def test_lone_surrogates_are_refused_in_multipart_too(client: httpx.Client) -> None:
    refused(client.post("/embed", files=[("text", (None, b"\xed\xa0\x80"))]), 422, "invalid_text")


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e999", b"null"])
def test_vectors_that_are_not_finite_are_refused(client: httpx.Client, number: bytes) -> None:
    dimensions = client.get("/info").json()["dimensions"]
    vector = b",".join([number] + [b"0.1"] * (dimensions - 1))
    body = b'{"queries": [{"embedding": [' + vector + b']}], "candidates": [{"text": "x"}]}'
    answer = client.post("/similarity", content=body, headers=JSON)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("malformed_body", "invalid_field")


@pytest.mark.parametrize("vector", [[0.0], [1.0, 2.0], "zero"])
def test_vectors_of_a_wrong_shape_are_refused(client: httpx.Client, vector: object) -> None:
    dimensions = client.get("/info").json()["dimensions"]
    numbers = [0.0] * dimensions if vector == "zero" else vector
    body = {"queries": [{"embedding": numbers}], "candidates": [GOOD_TEXT]}
    refused(client.post("/similarity", json=body), 422, "invalid_field")


def test_vectors_of_any_length_are_normalised(client: httpx.Client) -> None:
    dimensions = client.get("/info").json()["dimensions"]
    queries = [{"embedding": [size] * dimensions} for size in (1e308, 1.0, 1e-300)]
    answer = client.post("/similarity", json={"queries": queries, "candidates": queries[1:2]})
    np.testing.assert_allclose(answer.json()["similarity"], 1.0, atol=1e-6)


def test_ten_thousand_items_are_refused_at_once(client: httpx.Client) -> None:
    error = refused(client.post("/embed", json={"inputs": [GOOD_TEXT] * 10_000}), 422, "too_many_items")
    assert (error["limit"], error["actual"]) == (128, 10_000)
    fused = {"parts": [GOOD_TEXT] * 10_000}
    refused(client.post("/embed", json={"inputs": [fused]}), 422, "too_many_items")
    fields = [("text", (None, "x"))] * 10_000
    refused(client.post("/embed", files=fields), 422, "too_many_items")
    refused(client.post("/classify", json={"input": fused, "labels": ["x"]}), 422, "too_many_items")


@pytest.mark.parametrize("path", ["/embed", "/similarity", "/ground", "/classify", "/audio/labels"])
def test_every_endpoint_refuses_an_empty_body_and_a_wrong_type(client: httpx.Client, path: str) -> None:
    refused(client.post(path, content=b"", headers=JSON), 400, "malformed_body")
    refused(client.post(path, content=b"hello", headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type")
    refused(client.post(path), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary here",
        b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nhello',
        b"--x\r\n\r\nhello\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="' + b"a" * 100_000 + b'"\r\n\r\nhello\r\n--x--\r\n',
    ],
    ids=["empty", "no boundary", "cut off", "no name", "long header"],
)
def test_broken_multipart_is_refused(client: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    refused(client.post("/embed", content=body, headers=headers), 400, "malformed_body")


@pytest.mark.parametrize("number", [str(2**63), "9" * 4000, "-" + "9" * 30])
@pytest.mark.parametrize(
    ("path", "field"), [("/embed", "dimensions"), ("/embed", "window_seconds"), ("/audio/labels", "top_k")]
)
def test_numbers_of_many_digits_are_refused(client: httpx.Client, path: str, field: str, number: str) -> None:
    answer = client.post(path, data={field: number}, files={"audio": ("x.wav", clip(1))})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["code"] == "invalid_field"


def test_a_single_field_may_stand_only_once(client: httpx.Client) -> None:
    fields = [("image", ("x", picture(1))), ("image", ("y", picture(2))), ("phrase", (None, "x"))]
    refused(client.post("/ground", files=fields), 422, "invalid_field")
