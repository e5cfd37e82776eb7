"""What every request gets, in one place: an id, a clock, metrics, a watch for callers who leave, its errors."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time

from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from service.context import RequestContext
from service.errors import ServiceError
from service.lifecycle import Lifecycle
from service.routes.lean import LeanEndpoint
from service.runtime import Runtime
from service.wire.problem import problem_response

logger = logging.getLogger(__name__)
REQUEST_ID = re.compile(rb"[A-Za-z0-9._\-]{1,128}")
TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
DISCONNECT_WATCH_AFTER_S = 0.1
"""A request that takes longer is dropped when its caller goes away; shorter ones aren't worth the watch."""
CLIENT_CLOSED_REQUEST = 499


class RequestMiddleware:
    """The outermost application: calls lean endpoints itself, and FastAPI for everything else.

    FastAPI's own way to an endpoint (telemetry, body limit, exit stacks, nested routers) does nothing for endpoints
    that take the bare request, and would cost a short text a third of its time.
    """

    def __init__(self, app: FastAPI, endpoints: dict[tuple[str, str], LeanEndpoint], runtime: Runtime) -> None:
        self.app = app
        self._endpoints, self._runtime = endpoints, runtime
        self._metrics, self._admission = runtime.metrics, runtime.admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        context = RequestContext(_request_id(headers.get(b"x-request-id")), headers)
        scope["onepeace.context"] = context
        outgoing = [(b"x-request-id", context.request_id.encode())]
        traceparent = headers.get(b"traceparent")
        if traceparent is not None and TRACEPARENT.fullmatch(traceparent):
            outgoing.append((b"traceparent", traceparent))
        exchange = _Exchange(context, receive, send, outgoing, self._runtime.lifecycle)
        self._metrics.in_flight.inc()
        try:
            await self._serve(scope, exchange)
        finally:
            self._end(scope, context, exchange.status or CLIENT_CLOSED_REQUEST)

    async def _serve(self, scope: Scope, exchange: _Exchange) -> None:
        task = asyncio.current_task()
        if task is None:  # can't be inside a coroutine
            raise RuntimeError("no running task")
        watch = asyncio.get_running_loop().call_later(DISCONNECT_WATCH_AFTER_S, exchange.watch, task)
        try:
            endpoint = self._endpoints.get((scope["method"], scope["path"]))
            if endpoint is None:
                await self.app(scope, exchange.receive, exchange.send)
            else:
                scope["app"] = self.app
                scope["onepeace.endpoint"] = scope["path"]
                await _answer(endpoint, Request(scope, exchange.receive), exchange)
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
        endpoint = scope.get("onepeace.endpoint", "other")
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
        headers: list[tuple[bytes, bytes]],
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
            timing = ", ".join(f"{stage};dur={s * 1000:.2f}" for stage, s in self._context.stages.items() if s)
            if timing:
                self._headers.append((b"server-timing", timing.encode()))
            if self._lifecycle.draining:
                self._headers.append((b"connection", b"close"))
            message["headers"] = [*message["headers"], *self._headers]
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


async def _answer(endpoint: LeanEndpoint, request: Request, exchange: _Exchange) -> None:
    try:
        response = await endpoint(request)
    except ServiceError as error:
        response = problem_response(request, error)
    except Exception:
        logger.exception("request %s failed", request.scope["onepeace.context"].request_id)
        response = problem_response(request, ServiceError("something went wrong here"))
    await response(request.scope, exchange.receive, exchange.send)


def _request_id(given: bytes | None) -> str:
    return given.decode() if given is not None and REQUEST_ID.fullmatch(given) else os.urandom(16).hex()
