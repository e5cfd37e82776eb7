"""Uvicorn's HTTP/1.1 protocol with bounds that it lacks: size and time of the head, and errors as problems."""

from __future__ import annotations

import asyncio
import os
import re
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.errors import HeadTooLarge, MalformedRequest, RequestTooSlow, ServiceError
from service.middleware import RequestMiddleware
from service.wire.problem import MEDIA_TYPE, problem_body

MAX_HEAD_BYTES = 64 * 1024
HEAD_TIMEOUT_S = 20.0
STALLED_READER_S = 60.0
"""For a caller to take any byte of an answer that it has not taken yet."""
UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses heads over `MAX_HEAD_BYTES` (431) or slower than `HEAD_TIMEOUT_S` (408); leaves stalled readers.

    An offer to upgrade the protocol, as HTTP/2 clients make it, is ignored (RFC 9110, 7.8): the parser would take
    the request's body for the new protocol and lose it.
    """

    app: RequestMiddleware

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head = b""  # of the next request, until it is whole
        self._at_start = True
        self._was_used = False
        self._head_is_open = False  # in the parser: a pipelined head that began behind another request
        self._open_bytes = 0
        self._refusal: ServiceError | None = None  # to be sent behind the answer that is under way
        self._running: RequestResponseCycle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unsent_bytes = 0
        self._reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection that sends nothing is closed after a while."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer; uvicorn tells only the newest of pipelined requests that its caller has gone."""
        self._stop_timer()
        self._forget_reader()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The caller takes its answer more slowly than it is made: look whether it takes it at all."""
        super().pause_writing()
        self._unsent_bytes = self.transport.get_write_buffer_size()
        self._reader_timer = self.loop.call_later(STALLED_READER_S, self._look_at_reader)

    def resume_writing(self) -> None:
        """The caller has taken most of it."""
        super().resume_writing()
        self._forget_reader()

    def _look_at_reader(self) -> None:
        unsent_bytes = self.transport.get_write_buffer_size()
        if unsent_bytes >= self._unsent_bytes:
            self.transport.abort()  # closing would wait for the caller
            return
        self._unsent_bytes = unsent_bytes
        self._reader_timer = self.loop.call_later(STALLED_READER_S, self._look_at_reader)

    def _forget_reader(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def data_received(self, data: bytes) -> None:
        """Hand a head to the parser once it is whole; everything else at once."""
        if self._refusal is not None:
            return
        if self._at_start:
            self._head += data if self._head else data.lstrip(b"\r\n")
            if not self._head:  # empty lines between requests are allowed, and no sign of life
                return
            end = _end_of_head(self._head)
            if (len(self._head) if end is None else end) > MAX_HEAD_BYTES:
                self._refuse(_too_large())
                return
            if end is None:
                self._start_timer()
                return
            data, self._head = _without_upgrade(self._head[:end]) + self._head[end:], b""
        super().data_received(data)
        self._look_after_feeding(len(data))

    def _look_after_feeding(self, size: int) -> None:
        if self.transport.is_closing():
            return
        if self._head_is_open:
            self._open_bytes += size
            if self._open_bytes > MAX_HEAD_BYTES + size:
                self._refuse(_too_large())
            else:
                self._start_timer()
        elif self.cycle is not None and self.cycle.response_complete and self.timeout_keep_alive_task is None:
            # The rest of a body that nobody reads: uvicorn would now wait for ever.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head_is_open, self._at_start, self._was_used, self._open_bytes = True, False, True, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; a trailer behind a chunked body must not pass for one."""
        if self._head_is_open:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole; the middleware takes over the clock."""
        self._head_is_open = False
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """What comes next is a head again."""
        self._at_start = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer before a refused request is out: now the refusal may follow."""
        if self._refusal is not None and not self.transport.is_closing():
            self._write(self._refusal)
            return
        super().on_response_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's words are not ours)
        """Called by uvicorn when the parser gives up."""
        self._refuse(MalformedRequest("this is not valid HTTP/1.1"))

    def _give_up(self) -> None:
        self._timer = None
        if self._head or self._head_is_open:
            limit_ms = int(HEAD_TIMEOUT_S * 1000)
            self._refuse(RequestTooSlow(f"the headers did not arrive within {limit_ms} ms", limit=limit_ms))
        elif not self._was_used:
            self.transport.close()

    def _refuse(self, error: ServiceError) -> None:
        self._stop_timer()
        self._refusal = error
        if self._running is None or self._running.response_complete:
            self._write(error)

    def _write(self, error: ServiceError) -> None:
        request_id = os.urandom(16).hex()
        self.app.refuse(error, request_id)
        body = orjson.dumps(problem_body(error, request_id=request_id, instance=""))
        head = (
            f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
            f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _too_large() -> HeadTooLarge:
    return HeadTooLarge("the request's headers are too large", limit=MAX_HEAD_BYTES)


def _end_of_head(data: bytes) -> int | None:
    """Offset behind the empty line; bare line feeds count, for the parser to refuse them."""
    for mark in (b"\r\n\r\n", b"\n\n"):
        place = data.find(mark, 0, MAX_HEAD_BYTES + len(mark))
        if place >= 0:
            return place + len(mark)
    return None


def _without_upgrade(head: bytes) -> bytes:
    return UPGRADE.sub(b"\r\nx-upgrade:", head) if UPGRADE.search(head) else head
