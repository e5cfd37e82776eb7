"""Refusals that the HTTP protocol itself answers, and the connections that they come by."""

from __future__ import annotations

import random
import re
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.service.full_queue import BODY, HEAD, JSON, full_server, post
from tests.service.live_server import LiveServer
from tests.service.metric_values import value
from tests.service.waiting import until

MIB = 1024 * 1024
GET = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
LAST = b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
NO_COLLECTOR = "import gc; gc.disable()\n"
"""What is in a circle stays."""
TASKS_MARKED = """
from service.middleware import RequestMiddleware
serve = RequestMiddleware.__call__
async def marking(self, scope, receive, send):
    async def mark(message):
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-task", b"1")]
        await send(message)
    await serve(self, scope, receive, mark)
RequestMiddleware.__call__ = marking
"""
"""Tells in a header which answers took a task."""
TURNS_COUNTED = """
import logging
from service.http_protocol import BoundedHttpProtocol
answer = BoundedHttpProtocol._answer_at_once
count = 0
def reset():
    global count
    count = 0
def counting(self, cycle, response):
    global count
    if not count:
        self.loop.call_soon(reset)
    count += 1
    if count > 3:
        logging.error("internal error: %d refusals in one turn of the event loop", count)
    answer(self, cycle, response)
BoundedHttpProtocol._answer_at_once = counting
"""
BROKEN = "Admission.check_room = lambda self: 1 / 0\n"


@pytest.fixture(scope="module")
def full() -> Iterator[LiveServer]:
    with full_server(before=NO_COLLECTOR + TASKS_MARKED) as running:
        yield running


def connect(server: LiveServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def statuses(connection: socket.socket) -> list[int]:
    """Of all answers until the server closes."""
    received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    return [int(status) for status in re.findall(rb"HTTP/1.1 (\d{3}) ", received)]


def exchange(server: LiveServer, data: bytes) -> list[int]:
    """Send while answers are read; their statuses."""
    with connect(server) as connection:
        sending = threading.Thread(target=connection.sendall, args=(data,))
        sending.start()
        answered = statuses(connection)
        sending.join()
    return answered


def read_answer(connection: socket.socket) -> bytes:
    """One answer, whose body ends in `}`."""
    received = b""
    while not received.endswith(b"}"):
        chunk = connection.recv(1 << 16)
        assert chunk, received
        received += chunk
    return received


@pytest.mark.parametrize(("headers", "takes_task"), [({}, False), ({"connection": "close"}, True)])
def test_refusals_are_counted_and_take_a_task_only_where_the_connection_ends(
    full: LiveServer, headers: dict[str, str], takes_task: bool
) -> None:
    with httpx.Client(base_url=full.url) as caller:

        def counted() -> list[float]:
            return [
                value(caller, "onepeace_requests_total", endpoint="/embed", status="429"),
                value(caller, "onepeace_rejections_total", reason="queue_full"),
                value(caller, "onepeace_requests_in_flight"),
            ]

        requests, rejections, in_flight = counted()
        answer = caller.post("/embed", content=BODY, headers=JSON | headers)
        assert (answer.status_code, "x-task" in answer.headers) == (429, takes_task)
        assert counted() == [requests + 1, rejections + 1, in_flight]


def test_refusals_leave_nothing_in_memory(full: LiveServer) -> None:
    def come(times: int) -> None:
        for _ in range(times):
            assert full.raw(post(BODY.ljust(50_000))).startswith(b"HTTP/1.1 429 ")

    come(50)
    before = full.resident_bytes()
    come(1000)
    assert full.resident_bytes() - before < 4 * MIB  # 8 where each connection left a circle


def test_a_body_that_comes_after_its_refusal_is_thrown_away(full: LiveServer) -> None:
    body = BODY.ljust(1_000_000)
    head = post(body).removesuffix(body)
    with connect(full) as connection:
        connection.sendall(head)
        assert read_answer(connection).startswith(b"HTTP/1.1 429 ")
        for start in range(0, len(body), 100_000):
            connection.sendall(body[start : start + 100_000])
        connection.sendall(GET)
        assert read_answer(connection).startswith(b"HTTP/1.1 200 ")


def test_refused_callers_who_then_say_nothing_are_left() -> None:
    with full_server(keep_alive_s=1) as running, connect(running) as silent, connect(running) as halted:
        silent.sendall(post())
        halted.sendall(post() + post()[:-3])
        assert (statuses(silent), statuses(halted)) == ([429], [429, 429])


def test_pipelined_requests_behind_refusals_are_answered(full: LiveServer) -> None:
    with connect(full) as connection:
        connection.sendall(post() + post() + GET + CHUNKED + post() + post(b"") + LAST)
        assert statuses(connection) == [429, 429, 200, 429, 429, 429, 200]


def test_refusals_and_other_requests_are_told_apart_wherever_their_packets_end(full: LiveServer) -> None:
    chance = random.Random(7)
    kinds = {post(): 429, post(b""): 429, post(GET * 200): 429, CHUNKED: 429, GET: 200}
    sent = [chance.choice(list(kinds)) for _ in range(300)] + [LAST]
    data = b"".join(sent)
    with connect(full) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data:
            size = chance.choice([1, 30, 300, 3000, 30_000])
            connection.sendall(data[:size])
            data = data[size:]
        assert statuses(connection) == [(kinds | {LAST: 200})[one] for one in sent]


def test_lengths_with_many_zeros_are_lengths(full: LiveServer) -> None:
    """Else the parser would get pieces, of 4096 bytes, and here each would end within a body."""
    small, head = post(b""), HEAD + b"Content-Length: " + b"0" * 30 + b"%d\r\n\r\n"
    count = (4096 - len(head) - 500) // len(small)
    size = 4096 - count * len(small) - len(head % 500)
    unit = small * count + head % size + b" " * size
    assert len(unit) == 4096
    assert exchange(full, CHUNKED + unit * 50 + LAST) == [429] + [429] * (count + 1) * 50 + [200]


def test_a_caller_with_many_small_requests_does_not_hold_up_others() -> None:
    with full_server(before=TURNS_COUNTED) as running:
        assert exchange(running, post(b"") * 20_000 + LAST) == [429] * 20_000 + [200]


def test_a_caller_who_takes_no_refusals_holds_little_memory(full: LiveServer) -> None:
    before = full.resident_bytes()
    with connect(full) as connection:
        connection.settimeout(2)
        with pytest.raises(TimeoutError):
            connection.sendall(post(b"") * 500_000)
        assert full.resident_bytes() - before < 4 * MIB


@pytest.mark.parametrize(
    "head",
    [HEAD + b"Connection: close\r\n", HEAD.replace(b"HTTP/1.1", b"HTTP/1.0")],
    ids=["Connection: close", "HTTP/1.0"],
)
def test_a_caller_who_leaves_afterwards_can_send_its_body(full: LiveServer, head: bytes) -> None:
    with connect(full) as connection:  # all of it before it looks for an answer
        connection.sendall(head + b"Content-Length: 20000000\r\n\r\n" + b" " * 20_000_000)
        assert statuses(connection) == [429]


def test_a_caller_who_asks_before_it_sends_its_body_is_refused_at_once(full: LiveServer) -> None:
    with connect(full) as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n")
        assert read_answer(connection).startswith(b"HTTP/1.1 429 ")


def test_while_the_service_stops_refusals_end_the_connection() -> None:
    with full_server(drain_s=3.0) as running, httpx.Client(base_url=running.url) as caller:
        assert caller.post("/embed", content=BODY, headers=JSON).headers.get("connection") is None
        running.terminate()
        until(lambda: httpx.get(running.url + "/health/ready").status_code == 503)
        refused = caller.post("/embed", content=BODY, headers=JSON)
        assert (refused.status_code, refused.headers["connection"]) == (429, "close")


def test_a_fault_in_refusing_is_a_fault_of_the_service() -> None:
    with full_server(before=BROKEN, harmed=True) as running:
        answer = httpx.post(running.url + "/embed", content=BODY, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert httpx.get(running.url + "/health/live").status_code == 200
        until(lambda: "ZeroDivisionError" in running.log())
