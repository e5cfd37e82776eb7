"""The gRPC server beside Uvicorn, on the same event loop: starts before the models are loaded, and drains with it."""

from __future__ import annotations

import asyncio
import socket

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from service.rpc import health, servicer
from service.rpc.access import AccessInterceptor
from service.rpc.call import Calls
from service.runtime import Runtime
from service.settings import ENV_PREFIX, AddressError, Settings
from service.tls import ServerTls

REFLECTION = "grpc.reflection.v1.ServerReflection"
"""The name that newer clients ask for first; its messages are those of v1alpha."""
MAX_STREAMS = 256  # calls of one connection at once; more wait at the client
MAX_METADATA_BYTES = 64 * 1024  # as many as headers of the REST endpoints may have
IDENTITY_ONLY = 1  # bit 0 of the compression algorithms
PING_EVERY_MS, PING_TIMEOUT_MS, LEAST_PING_REST_MS = 60_000, 20_000, 10_000
MAX_PING_STRIKES = 2
SILENT_CALL_S = 0.5
"""Time for calls that have just come to send their message before those without one are ended."""
TELL_S = 0.5
"""Time for calls that are ended at the end of the grace period to be told so."""
WHOLE_DAY_S = 86_400


def channel_arguments(settings: Settings) -> list[tuple[str, int]]:
    """What the transport enforces before any code of ours sees a call."""
    arguments = [
        ("grpc.so_reuseport", 0),  # else a port that is taken would be shared in silence
        ("grpc.max_receive_message_length", settings.max_body_bytes),
        ("grpc.max_concurrent_streams", MAX_STREAMS),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
        # No guesses at more than the 64 KiB that a call may send before its message is read.
        ("grpc.http2.bdp_probe", 0),
        # A compressed message is unpacked without a limit, and 1 kB may hold 1 MB; media are compressed anyway.
        ("grpc.compression_enabled_algorithms_bitset", IDENTITY_ONLY),
        ("grpc.max_connection_idle_ms", settings.keep_alive_s * 1000),
        ("grpc.keepalive_time_ms", PING_EVERY_MS),
        ("grpc.keepalive_timeout_ms", PING_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", LEAST_PING_REST_MS),
        ("grpc.http2.max_ping_strikes", MAX_PING_STRIKES),
    ]
    if settings.grpc_max_connection_age_s:
        grace_s = settings.grpc_max_connection_age_grace_s or WHOLE_DAY_S
        arguments += [
            ("grpc.max_connection_age_ms", round(settings.grpc_max_connection_age_s * 1000)),
            ("grpc.max_connection_age_grace_ms", round(grace_s * 1000)),
        ]
    return arguments


class RpcServer:
    """One gRPC server; needs a running event loop.

    Attributes:
        port: the port that it listens on.

    Raises (on creation):
        AddressError: the address can't be listened on.
    """

    def __init__(self, runtime: Runtime, tls: ServerTls | None = None) -> None:
        settings = runtime.settings
        self._settings = settings
        self._calls = Calls(runtime)
        self._health = health.Health(runtime, (servicer.SERVICE,))
        gates = () if runtime.gate is None else (AccessInterceptor(runtime.gate, self._calls),)
        self._server = grpc.aio.server(interceptors=gates, options=channel_arguments(settings))
        self._server.add_generic_rpc_handlers(
            (servicer.Servicer(runtime, self._calls).handler(), self._health.handler())
        )
        if settings.access_docs != "off":
            names = (servicer.SERVICE, health.SERVICE, reflection.SERVICE_NAME)
            self._server.add_generic_rpc_handlers((_newer_reflection(names),))
            reflection.enable_server_reflection(names, self._server)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"{host}:{settings.grpc_port}"
        try:
            if tls is None:
                self.port: int = self._server.add_insecure_port(address)
            else:
                self.port = self._server.add_secure_port(address, tls.grpc_credentials())
        except RuntimeError as error:
            wanted, reason = f"{ENV_PREFIX}HOST, {ENV_PREFIX}GRPC_PORT", _reason(settings.host, settings.grpc_port)
            raise AddressError(f"can't listen on {address} for gRPC ({wanted}): {reason}") from error
        self._stopping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accept calls; until the models are loaded they are told so."""
        await self._server.start()

    def stop(self) -> asyncio.Task[None]:
        """Accept no more, give accepted calls `grace_s` to be answered. Done when all have ended."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop())
        return self._stopping

    def stop_at_once(self) -> None:
        """End what still runs."""
        self._calls.end_all()

    async def _stop(self) -> None:
        self._health.stop()
        self._calls.stop_streams()
        loop = asyncio.get_running_loop()
        silence = loop.call_later(SILENT_CALL_S, self._calls.end_unread)
        grace = loop.call_later(self._settings.grace_s, self._calls.end_all)
        try:
            await self._server.stop(self._settings.grace_s + TELL_S)
        finally:
            silence.cancel()
            grace.cancel()


def _reason(host: str, port: int) -> str:
    """Why an address can't be listened on, which gRPC keeps to its own log."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        return str(error.strerror)
    return "gRPC does not say why; GRPC_VERBOSITY=info shows its own words"


def _newer_reflection(names: tuple[str, ...]) -> grpc.GenericRpcHandler:
    handler = grpc.stream_stream_rpc_method_handler(
        reflection.aio.ReflectionServicer(names).ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(REFLECTION, {"ServerReflectionInfo": handler})
