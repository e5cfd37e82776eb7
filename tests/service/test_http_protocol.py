"""The wire below the application, over a raw socket."""

from __future__ import annotations

import json
import socket
import time

import httpx
import numpy as np
import pytest

from service import http_protocol
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import encode_clip, encoded

BODY = b'{"inputs": [{"text": "a cow"}]}'
POST = b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def problem(answer: bytes, status: int) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    assert b"application/problem+json" in head
    content: dict[str, object] = json.loads(body)
    return content


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"POST /embed HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"POST /\xc3\xa4 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"POST http://a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"CONNECT a:443 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
    ],
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
            answer = read_to_end(connection)
            assert problem(answer, 503)["code"] == "not_ready"
            assert b"\r\nretry-after: 1\r\n" in answer
            server.process.wait(10)
            assert time.monotonic() - started < 5
        assert server.process.returncode == 0


def read_to_end(connection: socket.socket) -> bytes:
    """All until the server closes: head and body may come apart."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def send_pieces(server: LiveServer, *pieces: bytes) -> bytes:
    """Send pieces as packets of their own and read until the server closes or is silent for a second."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.02)
        connection.settimeout(1.0)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except TimeoutError:
            pass
        return received


LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)


@pytest.mark.parametrize("cut", [1, 5, 60, 90, 120])
def test_an_offer_to_upgrade_is_ignored_wherever_its_packets_end(server: LiveServer, cut: int) -> None:
    request = POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + LENGTH + BODY
    assert send_pieces(server, request[:cut], request[cut:]).startswith(b"HTTP/1.1 200 ")


def test_a_head_within_the_limit_may_come_in_pieces(server: LiveServer) -> None:
    head = POST + b"X-Long: " + b"a" * 55_000 + b"\r\n" + LENGTH
    pieces = [head[i : i + 8192] for i in range(0, len(head), 8192)]
    assert send_pieces(server, *pieces, BODY).startswith(b"HTTP/1.1 200 ")


def test_garbage_behind_a_request_does_not_take_its_answer(server: LiveServer) -> None:
    received = send_pieces(server, POST + LENGTH + BODY + b"garbage\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 400 " in received


def test_a_large_body_does_not_count_as_the_next_head(server: LiveServer) -> None:
    body = b'{"inputs": [{"text": "' + b"cow " * 8000 + b'"}], "on_error":' + b" " * 60_000 + b'"fail"}'
    first = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    received = send_pieces(server, first + b"GET /health/live HT", b"TP/1.1\r\nHost: x\r\n\r\n")
    assert received.count(b"HTTP/1.1 200 ") == 2


def test_trailers_are_no_headers(server: LiveServer) -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BODY) + BODY
    received = send_pieces(server, chunked + b"\r\n0\r\nContent-Type: text/plain\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_the_grace_period_cuts_off_is_a_503() -> None:
    silence = encoded(encode_clip(np.zeros(15 * 16_000, dtype=np.int16), form="FLAC"))
    body = json.dumps({"inputs": [{"audio": silence}] * 256}).encode()  # seconds of work
    with live_server(REPOSITORY, drain_s=0.0, grace_s=1, decode_threads=1, engine_threads=1) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            time.sleep(0.3)
            server.terminate()
            assert problem(read_to_end(connection), 503)["code"] == "not_ready"
        server.process.wait(20)


@pytest.mark.parametrize(
    ("line", "status"),
    [("POST /nowhere", 404), ("POST /info", 405), ("POST /embed", 415)],
)
@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_a_caller_who_leaves_afterwards_can_send_a_body_that_is_not_wanted(
    server: LiveServer, line: str, status: int, version: str
) -> None:
    head = f"{line} {version}\r\nConnection: close\r\nContent-Type: image/jpeg\r\nContent-Length: 10000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head.encode() + bytes(10_000_000))
        received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert received.startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("path", [b"/nowhere", b"/embed", b"/health/live"])
@pytest.mark.parametrize("name", [b"X-T: ", b""], ids=["value", "name"])
def test_an_endless_trailer_is_not_gathered(server: LiveServer, path: bytes, name: bytes) -> None:
    head = b"POST " + path + b" HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head + b"1\r\n \r\n0\r\n" + name)
        with pytest.raises(OSError, match=r"reset|[Bb]roken"):
            connection.sendall(b"a" * 100_000_000)


def test_a_broken_body_whose_request_is_answered_gets_no_second_answer(server: LiveServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n \r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 404 ")
        connection.sendall(b"zz\r\n")
        received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert b"HTTP/1.1" not in received
