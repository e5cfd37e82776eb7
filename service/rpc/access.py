"""The gate before the services that are not ours: health, reflection, and names of no service at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from service.access.gate import Gate
from service.errors import ServiceError
from service.rpc.call import Call, Calls, authorization_of
from service.rpc.generated import onepeace_pb2 as pb

_SERVICE = pb.DESCRIPTOR.services_by_name["OnePeaceService"]
OWN = frozenset(f"/{_SERVICE.full_name}/{method.name}" for method in _SERVICE.methods)
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]


class AccessInterceptor(grpc.aio.ServerInterceptor):
    """Asks the gate before a message is read. Our own methods ask it themselves, within their books."""

    def __init__(self, gate: Gate, calls: Calls) -> None:
        self._gate, self._calls = gate, calls

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Any:
        """Called by gRPC for each call: the method's handler, or one that refuses."""
        if details.method in OWN:
            return await continuation(details)
        try:
            self._gate.admit(details.method, authorization_of(details.invocation_metadata))
        except ServiceError as error:
            return self._refusal(error)
        return await continuation(details)

    def _refusal(self, error: ServiceError) -> Any:
        async def behave(call: Call) -> bytes:  # noqa: ARG001 (nothing of the call is read)
            raise error

        async def serve(requests: object, rpc: object) -> bytes:  # noqa: ARG001 (gRPC's signature)
            return await self._calls.serve("other", rpc, behave)

        return grpc.stream_unary_rpc_method_handler(serve)
