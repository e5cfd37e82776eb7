"""Bodies that are too large, too slow, cut off or compressed: refused in time, and no memory kept."""

from __future__ import annotations

import socket
import time

import httpx
import pytest

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.metric_values import value
from tests.service.test_bad_input import BAD_IMAGES, BAD_SOUNDS, GOOD_TEXT, JSON, LIMIT, MIB, png_header, refused
from tests.service.waiting import until


def test_a_body_over_the_limit_is_refused_by_its_content_length(client: httpx.Client, server: LiveServer) -> None:
    before = server.resident_bytes()
    answer = client.post("/embed", content=b"x" * (LIMIT + 1), headers=JSON)
    error = refused(answer, 413, "body_too_large")
    assert (error["limit"], error["actual"]) == (LIMIT, LIMIT + 1)
    head = b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
    assert b" 413 " in server.raw(head)[:20]
    assert server.resident_bytes() - before < 32 * MIB


def test_a_body_over_the_limit_without_content_length_is_refused(client: httpx.Client, server: LiveServer) -> None:
    def chunks() -> object:
        for _ in range(LIMIT // MIB + 8):
            yield b"x" * MIB

    before = server.resident_bytes()
    refused(client.post("/embed", content=chunks(), headers=JSON), 413, "body_too_large")
    assert server.resident_bytes() - before < LIMIT + 32 * MIB


def test_a_body_that_does_not_arrive_in_time_is_given_up() -> None:
    with live_server(REPOSITORY, read_timeout_ms=300) as impatient:
        head = b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        started = time.monotonic()
        answer = impatient.raw(head)
        assert b" 408 " in answer[:20]
        assert b"request_too_slow" in answer
        assert 0.25 < time.monotonic() - started < 5


def test_a_body_that_is_cut_off_harms_nobody(client: httpx.Client, server: LiveServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(
            b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
    assert client.post("/embed", json={"inputs": [GOOD_TEXT]}).status_code == 200


def test_bad_requests_leave_no_memory_behind(client: httpx.Client, server: LiveServer) -> None:
    bodies = [
        {"files": {"image": ("x.png", png_header(50_000, 50_000))}},
        {"files": {"image": ("x.jpg", BAD_IMAGES["truncated JPEG"]())}},
        {"files": {"audio": ("x.wav", BAD_SOUNDS["NaN samples"]())}},
        {"content": b"[" * 20_000, "headers": JSON},
        {"json": {"inputs": [{"text": "x" * 100_000}]}},
        {"json": {"inputs": [{"image": "A" * 1_000_000}]}},
    ]

    def send_all(times: int) -> None:
        for _ in range(times):
            for body in bodies:
                answer = client.post("/embed", **body)  # type: ignore[arg-type]
                assert 400 <= answer.status_code < 500

    send_all(10)
    before = server.resident_bytes()
    send_all(60)
    assert server.resident_bytes() - before < 16 * MIB


@pytest.mark.parametrize("path", ["/embed", "/v1/embeddings"])
@pytest.mark.parametrize("encoding", ["gzip", "zstd", "br", "identity, gzip"])
def test_a_compressed_body_is_refused_whatever_it_holds(client: httpx.Client, path: str, encoding: str) -> None:
    body = {"inputs": [GOOD_TEXT]} if path == "/embed" else {"model": "one-peace", "input": "a cow"}
    answer = client.post(path, json=body, headers={"content-encoding": encoding})
    assert answer.status_code == 415
    assert "Content-Encoding" in answer.text
    assert client.post(path, json=body, headers={"content-encoding": "identity"}).status_code == 200


def test_a_refused_body_holds_no_room_while_its_answer_lingers() -> None:
    head = b"POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        live_server(REPOSITORY, max_body_bytes=MIB, max_pending_bytes=MIB) as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=20) as sender,
        httpx.Client(base_url=running.url) as caller,
    ):
        sender.sendall(head + b"200000\r\n" + b" " * (MIB + 1))
        assert sender.recv(65536).startswith(b"HTTP/1.1 413 ")
        assert value(caller, "onepeace_admitted_bytes") == 0


def test_a_caller_for_whose_body_there_is_no_room_can_ask_again_at_once() -> None:
    small = b'{"inputs": [{"text": "a cow"}]}'.ljust(50_000)
    with (
        live_server(REPOSITORY, max_body_bytes=MIB, max_pending_bytes=MIB) as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=20) as halted,
        httpx.Client(base_url=running.url) as caller,
    ):
        halted.sendall(b"POST /embed HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\n\r\n")
        halted.sendall(b" " * (MIB - 10_000))
        until(lambda: value(caller, "onepeace_admitted_bytes") == MIB - 10_000)
        started = time.monotonic()
        for _ in range(5):
            assert caller.post("/embed", content=small, headers=JSON).status_code == 429
        assert time.monotonic() - started < 5  # and 25 where each answer waits for a body that has come
