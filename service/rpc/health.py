"""`grpc.health.v1`: SERVING when `/health/ready` says 200, for every name at once."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

from service.runtime import Runtime

SERVICE = "grpc.health.v1.Health"
LOOK_EVERY_S = 0.05
Status = health_pb2.HealthCheckResponse


class Health:
    """Answers Check and Watch. The library's own servicer forgets all other watchers of a name when one leaves."""

    def __init__(self, runtime: Runtime, services: tuple[str, ...]) -> None:
        self._runtime, self._services = runtime, ("", *services)
        self._stopping = False
        self._serving, self._news = False, asyncio.Event()
        self._watchers = 0
        self._looker: asyncio.Task[None] | None = None

    def handler(self) -> grpc.GenericRpcHandler:
        """Both methods, for a server."""
        forms = {
            "request_deserializer": health_pb2.HealthCheckRequest.FromString,
            "response_serializer": Status.SerializeToString,
        }
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Check": grpc.unary_unary_rpc_method_handler(self._check, **forms),
                "Watch": grpc.unary_stream_rpc_method_handler(self._watch, **forms),
            },
        )

    def stop(self) -> None:
        """End all watches, after their last news."""
        self._stopping = True
        self._tell()

    async def _check(self, request: Any, rpc: Any) -> Any:
        if request.service not in self._services:
            await rpc.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return Status(status=_status(self._ready()))

    async def _watch(self, request: Any, rpc: Any) -> None:
        is_known, told = request.service in self._services, None
        self._enter()
        try:
            while True:
                news = self._news
                status = _status(self._serving) if is_known else Status.SERVICE_UNKNOWN
                if status != told:
                    await rpc.write(Status(status=status))
                    told = status
                if self._stopping:
                    return
                await news.wait()
        finally:
            self._leave()

    def _enter(self) -> None:
        self._watchers += 1
        if self._looker is None:
            self._serving = self._ready()
            self._looker = asyncio.create_task(self._look())

    def _leave(self) -> None:
        self._watchers -= 1
        if not self._watchers and self._looker is not None:
            self._looker.cancel()
            self._looker = None

    async def _look(self) -> None:
        """For all watchers: readiness has no event, because a remote engine may lose it any time."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._ready() != self._serving:
                self._tell()

    def _tell(self) -> None:
        self._serving = self._ready()
        self._news.set()
        self._news = asyncio.Event()

    def _ready(self) -> bool:
        return self._runtime.ready() and not self._stopping


def _status(is_serving: bool) -> int:
    status: int = Status.SERVING if is_serving else Status.NOT_SERVING
    return status
