"""Carries requests over gRPC; decides nothing. Messages are bytes here: `grpc_wire` renders and reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import grpc
import grpc.aio

from onepeace_client.front import Address, Options
from onepeace_client.tls import Tls
from onepeace_client.wire import Outgoing, Reply

OPTIONS = (
    ("grpc.max_send_message_length", -1),  # the server's limits hold, and requests are split by them
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5000),  # gRPC's own two minutes would outlast the server's return by far
    ("grpc.enable_retries", 0),  # retries have one budget, and it is the client's
)


class GrpcTransport:
    """One client's channel; any number of threads may use it."""

    def __init__(self, address: Address, options: Options) -> None:
        self._metadata = tuple(options.all_headers().items())
        if address.scheme == "grpcs":
            self._channel = grpc.secure_channel(address.target, _credentials(options), OPTIONS)
        else:
            self._channel = grpc.insecure_channel(address.target, OPTIONS)

    def send(self, outgoing: Outgoing, timeout_s: float) -> Reply:
        """The reply; its status is the gRPC code, also when there was no connection."""
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(outgoing.path)
        try:
            body, call = method.with_call(outgoing.body, timeout=timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            return failed_reply(error)
        return Reply(0, headers_of(call.trailing_metadata()), body)

    def stream(self, path: str, messages: Iterator[bytes]) -> Any:
        """A call both ways: iterate over its answers, which may end with a `grpc.RpcError`; or `cancel()` it."""
        method: grpc.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(path)
        return method(messages, metadata=self._metadata)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


class AsyncGrpcTransport:
    """One client's channel in one event loop, which the first request finds; `threaded` carries its streams."""

    def __init__(self, address: Address, options: Options) -> None:
        self._address, self._metadata = address, tuple(options.all_headers().items())
        self._credentials = _credentials(options) if address.scheme == "grpcs" else None
        self.threaded = GrpcTransport(address, options)
        self._channel: grpc.aio.Channel | None = None

    async def send(self, outgoing: Outgoing, timeout_s: float) -> Reply:
        """The reply; its status is the gRPC code, also when there was no connection."""
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._open().unary_unary(outgoing.path)
        call = method(outgoing.body, timeout=timeout_s, metadata=self._metadata)
        try:
            body = await call
        except grpc.RpcError as error:
            return failed_reply(error)
        return Reply(0, headers_of(await call.trailing_metadata()), body)

    async def close(self) -> None:
        """Close the channels."""
        if self._channel is not None:
            await self._channel.close()
        self.threaded.close()

    def _open(self) -> grpc.aio.Channel:
        if self._channel is None:
            target = self._address.target
            if self._credentials is not None:
                self._channel = grpc.aio.secure_channel(target, self._credentials, OPTIONS)
            else:
                self._channel = grpc.aio.insecure_channel(target, OPTIONS)
        return self._channel


def failed_reply(error: Any) -> Reply:
    """What an RpcError says."""
    code: int = error.code().value[0]
    return Reply(code, headers_of(error.trailing_metadata()), b"", error.details() or "")


def _credentials(options: Options) -> grpc.ChannelCredentials:
    return (options.tls or Tls()).channel_credentials()


def headers_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> dict[str, str | bytes]:
    """Metadata by name."""
    return dict(metadata or ())
