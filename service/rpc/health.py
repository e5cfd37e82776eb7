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

    async def _check(self, request: Any, rpc: Any) -> Any:
        if request.service not in self._services:
            await rpc.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return Status(status=self._status(request.service))

    async def _watch(self, request: Any, rpc: Any) -> None:
        told = None
        while not self._stopping or told is None:
            status = self._status(request.service)
            if status != told:
                await rpc.write(Status(status=status))
                told = status
            await asyncio.sleep(LOOK_EVERY_S)  # readiness has no event

    def _status(self, service: str) -> int:
        if service not in self._services:
            unknown: int = Status.SERVICE_UNKNOWN
            return unknown
        status: int = Status.SERVING if self._runtime.ready() and not self._stopping else Status.NOT_SERVING
        return status
