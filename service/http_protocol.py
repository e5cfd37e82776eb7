"""Uvicorn's HTTP/1.1 protocol with bounds that it lacks: size and time of the head, and errors as problems."""

from __future__ import annotations

import asyncio
import os
import re
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.errors import HeadTooLarge, MalformedRequest, RequestTooSlow, ServiceError
from service.wire.problem import MEDIA_TYPE, problem_body

MAX_HEAD_BYTES = 64 * 1024
HEAD_TIMEOUT_S = 20.0
UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses heads over `MAX_HEAD_BYTES` (431) or slower than `HEAD_TIMEOUT_S` (408).

    An offer to upgrade the protocol, as HTTP/2 clients make it, is ignored (RFC 9110, 7.8): the parser would take
    the request's body for the new protocol and lose it.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_is_open = False
        self._at_start = True
        self._was_used = False
        self._head_bytes = 0
        self._refusal: ServiceError | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection that sends nothing is closed after a while."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; what of it belongs to an unfinished head counts against the limit."""
        if self._at_start:
            data = _without_upgrade(data)
        super().data_received(data)
        if self._head_is_open and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(_too_large())
            elif self._timer is None:
                self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head_is_open, self._at_start, self._was_used, self._head_bytes = True, False, True, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; many of them may come in one piece of data."""
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refusal = _too_large()
            raise ValueError(self._refusal.detail)  # ends the parser, which calls `send_400_response`
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

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's words are not ours)
        """Called by uvicorn when the parser gives up."""
        self._refuse(self._refusal or MalformedRequest("this is not valid HTTP/1.1"))

    def _give_up(self) -> None:
        self._timer = None
        if self._head_is_open:
            limit_ms = int(HEAD_TIMEOUT_S * 1000)
            self._refuse(RequestTooSlow(f"the headers did not arrive within {limit_ms} ms", limit=limit_ms))
        elif not self._was_used:
            self.transport.close()

    def _refuse(self, error: ServiceError) -> None:
        request_id = os.urandom(16).hex()
        body = orjson.dumps(problem_body(error, request_id=request_id, instance=""))
        head = (
            f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
            f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _too_large() -> HeadTooLarge:
    return HeadTooLarge("the request's headers are too large", limit=MAX_HEAD_BYTES)


def _without_upgrade(data: bytes) -> bytes:
    end = data.find(b"\r\n\r\n")
    head = data if end < 0 else data[:end]
    return UPGRADE.sub(b"\r\nx-upgrade:", head) + data[len(head) :] if UPGRADE.search(head) else data
