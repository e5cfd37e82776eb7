"""Requests that callers send without waiting for answers: none is lost, and they hold little memory."""

from __future__ import annotations

import random
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import httpx

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server

BODY = b'{"inputs": [{"text": "a cow"}]}'
LARGE_GET = b"GET /openapi.json HTTP/1.1\r\n\r\n"
ROOM_BYTES = 32 * 1024 * 1024
"""For 32 connections, which held 7 MiB; 60 where only requests behind a chunked body were not bounded."""


def numbered(number: int) -> bytes:
    return b"GET /health/live HTTP/1.1\r\nX-Request-Id: %d\r\n\r\n" % number


def embed(number: int, *, chunked: bool) -> bytes:
    head = b"POST /embed HTTP/1.1\r\nContent-Type: application/json\r\nX-Request-Id: %d\r\n" % number
    if chunked:
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


def connect(server: LiveServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def answered(connection: socket.socket, count: int) -> list[int]:
    """The ids of `count` answers, in order."""
    received = b""
    while received.count(b"HTTP/1.1 200 ") < count or not received.endswith(b"}"):
        chunk = connection.recv(1 << 20)
        assert chunk, received[-500:]
        received += chunk
    return [int(value) for value in re.findall(rb"x-request-id: (\d{1,9})\r\n", received)]


def fill(connection: socket.socket, data: bytes) -> bool:
    """Send until the server has taken nothing for two seconds; False when it takes all, again and again."""
    connection.settimeout(2)
    for _ in range(50):
        try:
            connection.sendall(data)
        except TimeoutError:
            return True
    return False


def test_requests_of_callers_who_read_nothing_hold_little_memory(server: LiveServer) -> None:
    resident_bytes = server.resident_bytes()
    starts = [b"", embed(0, chunked=False), embed(0, chunked=True), embed(0, chunked=True)] * 8
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in starts]
        threads = stack.enter_context(ThreadPoolExecutor(len(starts)))
        floods = [start + LARGE_GET * 10_000 for start in starts]
        assert all(threads.map(fill, connections, floods))
        assert server.resident_bytes() - resident_bytes < ROOM_BYTES
        assert httpx.get(server.url + "/health/live", timeout=30).status_code == 200


def test_callers_who_read_late_get_every_answer_in_order(server: LiveServer) -> None:
    count = 20_000
    with connect(server) as connection:
        sender = threading.Thread(target=connection.sendall, args=(b"".join(map(numbered, range(count))),))
        sender.start()
        time.sleep(1)
        assert answered(connection, count) == list(range(count))
        sender.join()


def test_mixed_requests_are_all_answered_wherever_their_packets_end(server: LiveServer) -> None:
    chance, count = random.Random(6), 300
    kinds = (numbered, partial(embed, chunked=True), partial(embed, chunked=False))
    data = b"\r\n".join(chance.choice(kinds)(number) for number in range(count))
    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data:
            size = chance.choice([1, 7, 100, 3000])
            connection.sendall(data[:size])
            data = data[size:]
        assert answered(connection, count) == list(range(count))


def test_a_large_body_behind_other_requests_arrives(server: LiveServer) -> None:
    large = BODY.replace(b'"a cow"', b'"a cow"' + b" " * 3_000_000)
    post = embed(9, chunked=False).replace(b": %d\r\n\r\n" % len(BODY), b": %d\r\n\r\n" % len(large))
    with connect(server) as connection:
        connection.sendall(b"".join(map(numbered, range(9))) + post.replace(BODY, large) + numbered(10))
        assert answered(connection, 11) == list(range(11))


def test_a_caller_who_pauses_in_the_middle_of_answers_is_waited_for() -> None:
    with live_server(REPOSITORY, keep_alive_s=1) as server, connect(server) as connection:
        connection.sendall(LARGE_GET * 100 + numbered(1))
        time.sleep(3)
        assert answered(connection, 101) == [1]


def test_a_head_that_came_in_part_behind_a_chunked_body_is_read_on(server: LiveServer) -> None:
    second = b"POST /embed HTTP/1.1\r\nContent-Length: %d\r\nContent-Type: application/json\r\n" % len(BODY)
    second += b"X-Request-Id: 2\r\n\r\n" + BODY
    for cut in (30, second.index(b"Content-Type"), second.index(b"X-Request") + 3):
        with connect(server) as connection:
            connection.sendall(embed(1, chunked=True) + second[:cut])
            assert answered(connection, 1) == [1]
            connection.sendall(second[cut:])
            assert answered(connection, 1) == [2]


def test_requests_behind_bodies_that_nobody_reads_are_answered(server: LiveServer) -> None:
    unread = b"POST /info HTTP/1.1\r\nContent-Length: 300000\r\n\r\n" + b"GET /" * 60_000
    with connect(server) as connection:
        connection.sendall(unread + unread + numbered(3) + unread + embed(4, chunked=False))
        assert answered(connection, 2) == [3, 4]


def test_a_body_behind_an_offer_to_upgrade_is_never_taken_for_requests(server: LiveServer) -> None:
    offer = b"POST /embed HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Type: application/json\r\n"
    offer += b"Content-Length: 60000\r\n\r\n" + numbered(7) * 1_000
    with connect(server) as connection:
        connection.sendall(embed(1, chunked=True) + offer)
        received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert re.findall(rb"HTTP/1.1 (\d+) ", received) == [b"200", b"400"]
