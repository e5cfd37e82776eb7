"""The wire below the application, over a raw socket."""

from __future__ import annotations

import json
import socket
import time

import httpx
import pytest

from service import http_protocol
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server

BODY = b'{"inputs": [{"text": "a cow"}]}'
POST = b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def problem(answer: bytes, status: int) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    assert b"application/problem+json" in head
    content: dict[str, object] = json.loads(body)
    return content


@pytest.mark.parametrize(
    "data", [b"nonsense\r\n\r\n", b"POST /embed HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"]
)
def test_what_is_not_http_is_a_problem_too(server: LiveServer, data: bytes) -> None:
    assert problem(server.raw(data + b"\r\n\r\n"), 400)["code"] == "malformed_request"


@pytest.mark.parametrize(
    "head",
    [b"X-A: " + b"a" * 100_000, b"X-A: b\r\n" * 20_000, b"X-A: " + b"a" * 2_000_000],
    ids=["one long header", "many headers", "an endless header"],
)
def test_headers_over_the_limit_are_refused(server: LiveServer, head: bytes) -> None:
    before = server.resident_bytes()
    try:
        answer = server.raw(b"GET /info HTTP/1.1\r\nHost: x\r\n" + head)
    except ConnectionError:  # refused while we were still sending
        answer = b""
    if answer:
        assert problem(answer, 431)["code"] == "head_too_large"
    assert server.resident_bytes() - before < 16 * 1024 * 1024
    assert httpx.get(server.url + "/health/live").status_code == 200


def test_a_long_body_in_one_piece_with_its_head_is_no_long_head(server: LiveServer) -> None:
    body = b'{"inputs": [{"text": "' + b"cow " * 8000 + b'"}]}'
    answer = server.raw(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "upgrade",
    [
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n",
        b"Connection: upgrade\r\nUPGRADE: websocket\r\n",
    ],
)
def test_an_offer_to_upgrade_is_ignored_and_loses_no_body(server: LiveServer, upgrade: bytes) -> None:
    answer = server.raw(POST + upgrade + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]


def test_two_requests_sent_at_once_are_both_answered(server: LiveServer) -> None:
    request = POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request * 2)
        received = b""
        while received.count(b"HTTP/1.1 200 ") < 2 or not received.endswith(b"}"):
            received += connection.recv(65536)


def test_slow_heads_and_silent_connections_are_closed() -> None:
    assert http_protocol.HEAD_TIMEOUT_S <= 30
    code = "import service.http_protocol as p; p.HEAD_TIMEOUT_S = 0.4"
    with live_server(REPOSITORY, before=code) as hasty:
        started = time.monotonic()
        assert problem(hasty.raw(b"GET /info HTTP/1.1\r\nHost: x\r\n"), 408)["code"] == "request_too_slow"
        assert hasty.raw(b"") == b""
        assert time.monotonic() - started < 5
        assert httpx.get(hasty.url + "/health/live").status_code == 200


def test_a_half_sent_body_does_not_hold_up_the_end() -> None:
    with live_server(REPOSITORY, drain_s=0.2, grace_s=20) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(POST + b"Content-Length: 100\r\n\r\n{")
            time.sleep(0.3)
            started = time.monotonic()
            server.terminate()
            assert problem(connection.recv(65536), 503)["code"] == "not_ready"
            server.process.wait(10)
            assert time.monotonic() - started < 5
        assert server.process.returncode == 0
