"""What every request gets, in one place: an id, a clock, metrics, a watch for callers who leave, its errors."""

from __future__ import annotations

import asyncio
import logging

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from service.access.cors import with_cors
from service.context import RequestContext
from service.correlation import request_id, valid_traceparent
from service.errors import Draining, QueueFull, ServiceError
from service.ledger import CLIENT_CLOSED_REQUEST
from service.lifecycle import Lifecycle
from service.routes.lean import LeanEndpoint, LeanRoute
from service.runtime import Runtime
from service.watchdog import Watchdog
from service.wire.compression import compress
from service.wire.problem import problem_response

logger = logging.getLogger(__name__)


class RequestMiddleware:
    """The outermost application: calls lean endpoints itself, and FastAPI for everything else.

    FastAPI's own way to an endpoint (telemetry, body limit, exit stacks, nested routers) does nothing for endpoints
    that take the bare request, and would cost a short text a third of its time.
    """

    def __init__(self, app: FastAPI, endpoints: dict[tuple[str, str], LeanEndpoint], runtime: Runtime) -> None:
        self.app = app
        self._endpoints, self._runtime = endpoints, runtime
        # Inside the books, which count preflights too, and around the gate: those come without a key.
        self._serve_pages_too = with_cors(self._serve, runtime.settings)
        self._has_cors = bool(runtime.settings.origins())
        self._watchdogs: set[Watchdog] = set()

    def end_unread(self) -> None:
        """Give up requests whose body is still on its way: the service stops, and can't wait for slow callers."""
        for watchdog in self._watchdogs:
            watchdog.end_unread(Draining("the service is stopping"))

    def refuse(self, error: ServiceError, request_id: str) -> None:
        """Enter a request into the books that never came here: its head could not be read."""
        context = RequestContext(request_id, {}, asyncio.get_running_loop().time())
        self._runtime.ledger.open(context, "")
        self._runtime.ledger.close(context, "other", error.status, error)

    def turn_away(self, scope: Scope, *, stays: bool) -> Response | None:
        """The answer to a request for which there is no room, its books closed; None: `__call__` has to answer it.

        For the server, before it sets anything up: refusals come when there is least time, and many of them. Without
        `stays` the connection ends with the request, so the answer has to wait for the body: then, and where it needs
        more headers, the reason found here goes to `__call__` as the scope's `onepeace.refusal`.
        """
        try:
            return self._turn_away(scope, stays=stays)
        except Exception:  # here it would be taken for bad HTTP; `__call__` says what it is
            logger.exception("a request could not be turned away")
            return None

    def _turn_away(self, scope: Scope, *, stays: bool) -> Response | None:
        if ("POST", scope["path"]) not in self._endpoints or scope["method"] != "POST":
            return None  # takes no work
        headers = dict(scope["headers"])
        try:
            self._runtime.require_room(headers)
        except QueueFull as error:
            full = error.let_go()
        else:
            return None
        context = _open_context(scope, headers)
        refusal = self._refuse(scope, context)  # whoever may not come in isn't told how full it is
        needs_headers = self._runtime.lifecycle.draining or (self._has_cors and b"origin" in headers)
        if refusal is not None or needs_headers or not stays:
            scope["onepeace.refusal"] = refusal or full
            return None
        response = problem_response(Request(scope), full)
        response.raw_headers += _echoed(context)
        context.answer_bytes = len(response.body)
        self._runtime.ledger.open(context, scope["path"])
        self._runtime.ledger.close(context, scope["path"], response.status_code, full)
        return response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = _open_context(scope, dict(scope["headers"]))
        exchange = _Exchange(context, receive, send, _echoed(context), self._runtime.lifecycle)
        scope["onepeace.exchange"] = exchange
        self._runtime.ledger.open(context, scope["path"])
        try:
            await self._serve_pages_too(scope, exchange.receive, exchange.send)
        finally:
            del scope["onepeace.exchange"]  # which knows the server's cycle, which knows the scope
            status = exchange.status or CLIENT_CLOSED_REQUEST
            self._runtime.ledger.close(context, _endpoint(scope), status, scope.get("onepeace.error"))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: _Exchange = scope["onepeace.exchange"]
        endpoint = self._endpoints.get((scope["method"], scope["path"]))
        if endpoint is not None:
            scope["app"] = self.app
            scope["onepeace.endpoint"] = scope["path"]
        refusal = scope.pop("onepeace.refusal", None) or self._refuse(scope, exchange.context)
        task = asyncio.current_task()
        if task is None:  # can't be inside a coroutine
            raise RuntimeError("no running task")
        watchdog = Watchdog(exchange.context, task, receive, self._runtime.settings)
        exchange.watchdog = watchdog
        self._watchdogs.add(watchdog)
        try:
            if refusal is not None:
                response = problem_response(Request(scope, receive), refusal)
                await response(scope, receive, send)
            elif endpoint is None:
                await self.app(scope, receive, send)
            else:
                await self._answer(endpoint, Request(scope, receive), exchange.context, send)
        except asyncio.CancelledError:
            verdict = watchdog.verdict
            if not watchdog.ended_it:  # cancelled from outside: the server's grace period is over
                if not self._runtime.lifecycle.draining:
                    raise
                verdict = Draining("the service stopped before the answer was ready")
            task.uncancel()
            if verdict is not None and not exchange.status:
                response = problem_response(Request(scope, receive), verdict)
                await response(scope, receive, send)
        finally:
            watchdog.stop()
            self._watchdogs.discard(watchdog)

    def _refuse(self, scope: Scope, context: RequestContext) -> ServiceError | None:
        """Why the caller is not let in, before a byte of the body is read."""
        if self._runtime.gate is None:
            return None
        # The parser leaves white space at a value's end, where it is none of it (RFC 9110, 5.5).
        sent = [value.rstrip(b" \t") for name, value in scope["headers"] if name == b"authorization"]
        try:
            context.caller = self._runtime.gate.admit(scope["path"], sent)
        except ServiceError as error:
            return error
        return None

    async def _answer(self, endpoint: LeanEndpoint, request: Request, context: RequestContext, send: Send) -> None:
        try:
            response = await endpoint(request)
        except ServiceError as error:
            response = problem_response(request, error)
        except Exception:
            logger.exception("request %s failed", context.request_id)
            response = problem_response(request, ServiceError("something went wrong here"))
        wanted = context.headers.get(b"accept-encoding")
        await compress(response, wanted, self._runtime.settings.compress_min_bytes)
        await response(request.scope, request.receive, send)


def _open_context(scope: Scope, headers: dict[bytes, bytes]) -> RequestContext:
    context = RequestContext(request_id(headers.get(b"x-request-id")), headers, asyncio.get_running_loop().time())
    scope["onepeace.context"] = context
    return context


def _echoed(context: RequestContext) -> list[tuple[bytes, bytes]]:
    """Headers by which callers know their requests again."""
    echoed = [(b"x-request-id", context.request_id.encode())]
    traceparent = valid_traceparent(context.headers.get(b"traceparent"))
    if traceparent is not None:
        echoed.append((b"traceparent", traceparent))
    return echoed


def _endpoint(scope: Scope) -> str:
    """The endpoint as its route names it, never as the caller wrote it; `other` for all that is not ours."""
    lean: str | None = scope.get("onepeace.endpoint")
    if lean is not None:
        return lean
    route = scope.get("route")
    return route.path_format if isinstance(route, LeanRoute) else "other"


class _Exchange:
    """One request's receive and send, with what the middleware adds to them."""

    __slots__ = ("_headers", "_lifecycle", "_send", "context", "receive", "status", "watchdog")

    def __init__(
        self,
        context: RequestContext,
        receive: Receive,
        send: Send,
        headers: list[tuple[bytes, bytes]],
        lifecycle: Lifecycle,
    ) -> None:
        self.context, self.receive, self._send = context, receive, send
        self._headers, self._lifecycle = headers, lifecycle
        self.watchdog: Watchdog | None = None
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self.watchdog is not None:
                self.watchdog.stop()
            self.status = message["status"]
            self.context.stages.answered()
            if timing := self.context.stages.server_timing():
                self._headers.append((b"server-timing", timing.encode()))
            if self._lifecycle.draining:
                self._headers.append((b"connection", b"close"))
            message["headers"] = [*message["headers"], *self._headers]
        else:
            self.context.answer_bytes += len(message.get("body", b""))
        await self._send(message)
