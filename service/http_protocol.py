"""Uvicorn's HTTP/1.1 protocol with bounds that it lacks: size and time of the head, waiting requests; and problems."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Any, cast

import httptools
import orjson
from starlette.responses import Response
from starlette.types import Scope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from service.correlation import new_request_id
from service.errors import HeadTooLarge, MalformedRequest, RequestTooSlow, ServiceError
from service.middleware import RequestMiddleware
from service.wire.problem import MEDIA_TYPE, problem_body

MAX_HEAD_BYTES = 64 * 1024
HEAD_TIMEOUT_S = 20.0
STALLED_READER_S = 60.0
"""For a caller to take any byte of an answer that it has not taken yet."""
MAX_WAITING_BYTES = 64 * 1024
"""Of requests behind one that is not answered yet; over that nothing more is read from the caller."""
MAX_LENGTH_DIGITS = 19
PIECE_BYTES = 4096
"""Given to the parser at once where a body's end is not known beforehand: what it takes, it takes as requests."""
UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class _Flow(FlowControl):
    """Reading stops for two reasons, and goes on when neither is left: uvicorn's, a full body, and ours, `hold`."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._is_full = self._is_held = False

    def pause_reading(self) -> None:
        self._is_full = True
        super().pause_reading()

    def resume_reading(self) -> None:
        self._is_full = False
        if not self._is_held:
            super().resume_reading()

    def hold(self, is_held: bool) -> None:
        self._is_held = is_held
        if is_held:
            super().pause_reading()
        elif not self._is_full:
            super().resume_reading()


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses heads over `MAX_HEAD_BYTES` (431) or slower than `HEAD_TIMEOUT_S` (408); leaves stalled readers.

    Pipelined requests wait as bytes, a bounded number, until the one before them is answered and its answer taken:
    uvicorn would make a task's worth of objects of each, of as many as the caller likes to send.

    An offer to upgrade the protocol, as HTTP/2 clients make it, is ignored (RFC 9110, 7.8): the parser would take
    the request's body for the new protocol and lose it. Behind a chunked body it comes unseen, and is refused (400).

    Most callers for whom there is no room are answered here (`RequestMiddleware.turn_away`): a task, and ASGI, would
    take time of those who are served.
    """

    app: RequestMiddleware

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._received, self._place = b"", 0  # the parser has had what stands before the place
        self._at_start, self._is_resting = True, False
        self._next_turn: asyncio.Handle | None = None
        self._body_left = 0  # bytes of the body to come, as far as its head told
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
        self.flow = self._flow = _Flow(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer; uvicorn tells only the newest of pipelined requests that its caller has gone."""
        self._stop_timer()
        self._forget_reader()
        self._forget_received()
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
        self._feed()

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
        """Hand to the parser what it may have now."""
        if self._is_over():
            return
        if self._is_unwanted():
            self._unset_keepalive_if_required()
        waiting = self._received[self._place :]
        self._received, self._place = waiting + data if waiting else data, 0
        self._skip_body()
        self._feed()

    def _feed(self) -> None:
        """Give the parser a head once it is whole and its turn has come, and bodies at once."""
        while not self._is_over() and (piece := self._next_piece()):
            super().data_received(piece)  # type: ignore[arg-type] # the parser takes any buffer
            self._look_after_feeding(len(piece))
            self._skip_body()
        if self._is_over() or self._place == len(self._received):
            self._forget_received()
            self._is_resting = False
        elif self._is_resting and self._next_turn is None:
            # Others have their turn: many small requests may have come in one piece.
            self._next_turn = self.loop.call_soon(self._go_on)
        if not self._is_over():
            self._flow.hold(len(self._received) - self._place > MAX_WAITING_BYTES)
            self._look_after_rest()

    def _is_over(self) -> bool:
        return self._refusal is not None or self.transport.is_closing()

    def _is_unwanted(self) -> bool:
        """Whether what comes next is the rest of a body, of known length, whose request is answered already."""
        return self._body_left > 0 and not self._head_is_open and self.cycle.response_complete

    def _skip_body(self) -> None:
        """Pass over an unwanted body without the parser, which would copy it; a new one takes over behind it."""
        if self._is_over() or not self._is_unwanted():
            return
        skipped = min(self._body_left, len(self._received) - self._place)
        self._place += skipped
        self._body_left -= skipped
        if not self._body_left:
            self._at_start = True
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's

    def _next_piece(self) -> bytes | memoryview:
        """What the parser gets next; nothing as long as it would make a request of it whose turn has not come."""
        if (self._at_start or self._head_is_open) and not self._has_turn():
            return b""
        return self._next_head() if self._at_start else self._next_of_body()

    def _has_turn(self) -> bool:
        is_free = self.cycle is None or self.cycle.response_complete
        return is_free and not self._is_resting and not self.flow.write_paused

    def _next_head(self) -> bytes:
        """The next request's head; nothing as long as it isn't whole."""
        if self._received[self._place : self._place + 1] in (b"\r", b"\n"):
            # Empty lines between requests are allowed, and no sign of life.
            self._received, self._place = self._received[self._place :].lstrip(b"\r\n"), 0
        if self._place == len(self._received):
            return b""
        start, end = self._place, _end_of_head(self._received, self._place)
        if (len(self._received) if end is None else end) - start > MAX_HEAD_BYTES:
            self._refuse(_too_large())
            return b""
        if end is None:
            self._start_timer()
            return b""
        self._place = end
        return _without_upgrade(self._received[start:end])

    def _next_of_body(self) -> memoryview:
        start = self._place
        size = PIECE_BYTES if self._head_is_open else self._body_left or PIECE_BYTES
        self._place = min(len(self._received), start + size)
        return memoryview(self._received)[start : self._place]

    def _forget_received(self) -> None:
        self._received, self._place = b"", 0

    def _look_after_feeding(self, size: int) -> None:
        """Bound what the parser gathers, copying it with every piece: a head, or the trailers of a chunked body."""
        if self.transport.is_closing():
            return
        self._open_bytes += size
        if self._open_bytes <= MAX_HEAD_BYTES + size:
            return
        if self._head_is_open:
            self._refuse(_too_large())
        else:
            self.transport.close()  # its request has an answer, or never will

    def _look_after_rest(self) -> None:
        if self._received and self.flow.write_paused:  # the caller's turn: see `pause_writing`
            self._unset_keepalive_if_required()
        elif self.cycle is None or not self.cycle.response_complete:
            return
        elif self._head_is_open:
            self._start_timer()
        elif self.timeout_keep_alive_task is None:
            # A body's rest that nobody reads, or only empty lines: uvicorn would now wait for ever.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head_is_open, self._at_start, self._was_used, self._open_bytes = True, False, True, 0
        self._body_left = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; a trailer behind a chunked body must not pass for one."""
        if self._head_is_open:
            digits = value.rstrip(b" \t").lstrip(b"0") or b"0"
            if name.lower() == b"content-length" and len(digits) < MAX_LENGTH_DIGITS and digits.isdigit():
                self._body_left = int(digits)
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole; the middleware takes over the clock."""
        self._head_is_open, self._open_bytes = False, 0
        self._stop_timer()
        if self.parser.should_upgrade():  # CONNECT, or an offer that came behind a chunked body: see the class
            raise MalformedRequest("the protocol is not changed here")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body_left, self._open_bytes = max(0, self._body_left - len(body)), 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """What comes next is a head again."""
        self._at_start, self._body_left, self._open_bytes = True, 0, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is out: now the next request may follow, or its refusal."""
        if self._refusal is not None and not self.transport.is_closing():
            self._write_refusal(self._refusal)
            return
        super().on_response_complete()
        self._feed()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        refusal = self.app.turn_away(cast(Scope, cycle.scope), stays=cycle.keep_alive)
        if refusal is None:
            self._unset_keepalive_if_required()
            super()._start_asgi_task(cycle, app)
        else:
            self._answer_at_once(cycle, refusal)

    def _answer_at_once(self, cycle: RequestResponseCycle, response: Response) -> None:
        """Without a task; what comes of the body is thrown away as it comes."""
        self._write(response.status_code, [*cycle.default_headers, *response.raw_headers], bytes(response.body))
        cycle.response_started = cycle.response_complete = True
        cycle.on_response = lambda: None  # it knows this protocol, which knows the cycle
        super().on_response_complete()
        self._is_resting = True

    def _go_on(self) -> None:
        self._is_resting, self._next_turn = False, None
        self._feed()

    def _write(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        lines = [STATUS_LINE[status]]
        for name, value in headers:
            lines += (name, b": ", value, b"\r\n")
        self.transport.write(b"".join((*lines, b"\r\n", body)))

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's words are not ours)
        """Called by uvicorn when the parser gives up."""
        is_in_body = not self._at_start and not self._head_is_open
        if is_in_body and self.cycle is not None and self.cycle.response_started:
            self.transport.close()  # a second answer would be taken for the next request's
            return
        self._refuse(MalformedRequest("this is not valid HTTP/1.1"))

    def _give_up(self) -> None:
        self._timer = None
        if self._received or self._head_is_open:
            limit_ms = int(HEAD_TIMEOUT_S * 1000)
            self._refuse(RequestTooSlow(f"the headers did not arrive within {limit_ms} ms", limit=limit_ms))
        elif not self._was_used:
            self.transport.close()

    def _refuse(self, error: ServiceError) -> None:
        self._stop_timer()
        self._refusal = error
        if self._running is None or self._running.response_complete:
            self._write_refusal(error)

    def _write_refusal(self, error: ServiceError) -> None:
        request_id = new_request_id()
        self.app.refuse(error, request_id)
        body = orjson.dumps(problem_body(error, request_id=request_id, instance=""))
        own = {
            "content-type": MEDIA_TYPE,
            "content-length": len(body),
            "x-request-id": request_id,
            "connection": "close",
        }
        encoded = [(name.encode(), str(value).encode()) for name, value in own.items()]
        self._write(error.status, [*self.server_state.default_headers, *encoded], body)
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


def _end_of_head(data: bytes, start: int) -> int | None:
    """Offset behind the empty line; bare line feeds count, for the parser to refuse them."""
    for mark in (b"\r\n\r\n", b"\n\n"):
        place = data.find(mark, start, start + MAX_HEAD_BYTES + len(mark))
        if place >= 0:
            return place + len(mark)
    return None


def _without_upgrade(head: bytes) -> bytes:
    return UPGRADE.sub(b"\r\nx-upgrade:", head) if UPGRADE.search(head) else head
