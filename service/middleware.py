"""What every request gets, in one place: an id, a clock, metrics, a watch for callers who leave, the last catch."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.admission import Admission
from service.context import RequestContext
from service.errors import ServiceError
from service.lifecycle import Lifecycle
from service.metrics import Metrics

logger = logging.getLogger(__name__)
REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,128}")
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
DISCONNECT_WATCH_AFTER_S = 0.02
"""A request that takes longer is dropped when its caller goes away; shorter ones aren't worth the watch."""
CLIENT_CLOSED_REQUEST = 499


class RequestMiddleware:
    """Wraps the whole application. Pure ASGI: a base class with streams would cost more than the routes."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, admission: Admission, lifecycle: Lifecycle) -> None:
        self._app, self._metrics, self._admission, self._lifecycle = app, metrics, admission, lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        context = RequestContext(_request_id(headers.get("x-request-id")))
        scope["onepeace.context"] = context
        traceparent = headers.get("traceparent", "")
        outgoing = [("x-request-id", context.request_id)]
        if TRACEPARENT.fullmatch(traceparent):
            outgoing.append(("traceparent", traceparent))
        exchange = _Exchange(context, receive, send, outgoing, self._lifecycle)
        self._metrics.in_flight.inc()
        try:
            await self._serve(scope, exchange)
        except Exception:
            logger.exception("request %s failed", context.request_id)
            if not exchange.status:
                raise
        finally:
            self._end(scope, context, exchange.status or CLIENT_CLOSED_REQUEST)

    async def _serve(self, scope: Scope, exchange: _Exchange) -> None:
        task = asyncio.current_task()
        if task is None:  # can't be inside a coroutine
            raise RuntimeError("no running task")
        watch = asyncio.get_running_loop().call_later(DISCONNECT_WATCH_AFTER_S, exchange.watch, task)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            if not exchange.caller_left:
                raise
            task.uncancel()
        finally:
            watch.cancel()
            exchange.stop_watch()

    def _end(self, scope: Scope, context: RequestContext, status: int) -> None:
        self._metrics.in_flight.dec()
        self._admission.release(context)
        route = scope.get("route")
        endpoint = getattr(route, "path", "unknown")
        duration_s = time.perf_counter() - context.started_s
        self._metrics.request_ended(endpoint, status, duration_s, context.stages)
        error = scope.get("onepeace.error")
        if isinstance(error, ServiceError):
            self._metrics.errors.labels(error.code).inc()
        if status >= 500 or logger.isEnabledFor(logging.DEBUG):
            logger.log(
                logging.WARNING if status >= 500 else logging.DEBUG,
                "%s %s %d %.1f ms",
                context.request_id,
                endpoint,
                status,
                duration_s * 1000,
            )


class _Exchange:
    """One request's receive and send, with what the middleware adds to them."""

    __slots__ = (
        "_body_read",
        "_context",
        "_headers",
        "_lifecycle",
        "_receive",
        "_send",
        "_watcher",
        "caller_left",
        "status",
    )

    def __init__(
        self,
        context: RequestContext,
        receive: Receive,
        send: Send,
        headers: list[tuple[str, str]],
        lifecycle: Lifecycle,
    ) -> None:
        self._context, self._receive, self._send = context, receive, send
        self._headers, self._lifecycle = headers, lifecycle
        self._watcher: asyncio.Task[None] | None = None
        self.status = 0
        self._body_read = asyncio.Event()
        self.caller_left = False

    async def receive(self) -> Message:
        message = await self._receive()
        if not message.get("more_body"):
            self._body_read.set()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers:
                headers[name] = value
            timing = ", ".join(f"{stage};dur={s * 1000:.2f}" for stage, s in self._context.stages.items() if s)
            if timing:
                headers["server-timing"] = timing
            if self._lifecycle.draining:
                headers["connection"] = "close"
        await self._send(message)

    def watch(self, task: asyncio.Task[None]) -> None:
        """From now on, cancel the request when its caller goes away."""
        self._watcher = asyncio.get_running_loop().create_task(self._cancel_on_disconnect(task))

    async def _cancel_on_disconnect(self, task: asyncio.Task[None]) -> None:
        await self._body_read.wait()  # until then the handler itself reads, and sees a disconnect
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self.status:
            self.caller_left = True
            task.cancel()

    def stop_watch(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()


def _request_id(given: str | None) -> str:
    return given if given is not None and REQUEST_ID.fullmatch(given) else os.urandom(16).hex()
