"""The gRPC method that experiments call, and what its outcome is in a word."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import grpc

from service.rpc.generated import onepeace_pb2 as pb

EMBED = "/onepeace.v1.OnePeaceService/Embed"
Embed = Callable[..., Awaitable[pb.EmbedResponse]]


def embed_method(channel: grpc.aio.Channel) -> Embed:
    """`Embed` on a channel: takes the request, and `timeout` in seconds."""
    method: Embed = channel.unary_unary(EMBED, pb.EmbedRequest.SerializeToString, pb.EmbedResponse.FromString)
    return method


async def outcome(call: Awaitable[pb.EmbedResponse]) -> str:
    """`OK`, or the name of the status and its detail."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return f"{error.code().name}: {error.details()}"
    return "OK"
