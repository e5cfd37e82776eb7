"""The methods of `OnePeaceService`: each reads one message, calls its use case and renders the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc

from service.context import RequestContext
from service.handlers.embed import embed
from service.handlers.ground import ground
from service.handlers.info import describe
from service.handlers.labels import classify, label_audio
from service.handlers.similarity import compare_items
from service.rpc import answers, messages
from service.rpc.call import Call, Calls
from service.rpc.embed_stream import EmbedStream
from service.rpc.generated import onepeace_pb2 as pb
from service.rpc.stream_room import StreamRoom
from service.runtime import Runtime
from service.wire.checking import check
from service.wire.requests.audio_labels import AudioLabelsRequest
from service.wire.requests.classify import ClassifyRequest
from service.wire.requests.embed import EmbedEnvelope
from service.wire.requests.ground import GroundRequest
from service.wire.requests.schema import RequestSchema
from service.wire.requests.similarity import SimilarityRequest

SERVICE = pb.DESCRIPTOR.services_by_name["OnePeaceService"].full_name


@dataclass(frozen=True, slots=True)
class Method:
    """One method with one message: the message as the JSON's value, checked by `schema`, handled, rendered."""

    request: Any
    value: Callable[[Any], dict[str, Any]]
    schema: type[RequestSchema]
    handle: Callable[[Runtime, RequestContext, Any], Awaitable[Any]]
    render: Callable[[Any], Any]


METHODS = {
    "Embed": Method(pb.EmbedRequest, messages.embed_value, EmbedEnvelope, embed, answers.embed_message),
    "Similarity": Method(
        pb.SimilarityRequest, messages.similarity_value, SimilarityRequest, compare_items, answers.similarity_message
    ),
    "Ground": Method(pb.GroundRequest, messages.ground_value, GroundRequest, ground, answers.ground_message),
    "Classify": Method(
        pb.ClassifyRequest, messages.classify_value, ClassifyRequest, classify, answers.classify_message
    ),
    "AudioLabels": Method(
        pb.AudioLabelsRequest,
        messages.audio_labels_value,
        AudioLabelsRequest,
        label_audio,
        answers.audio_labels_message,
    ),
}


class Servicer:
    """Binds the methods to one service.

    The methods with one message are served as if they streamed messages in, which looks the same on the wire: so each
    message is read here, within its time limit, and broken ones get an answer like any other error.
    """

    def __init__(self, runtime: Runtime, calls: Calls) -> None:
        self._runtime, self._calls = runtime, calls
        self._room = StreamRoom(runtime)

    def handler(self) -> grpc.GenericRpcHandler:
        """All methods, for a server."""
        behaviours = {name: self._unary(method) for name, method in METHODS.items()}
        handlers: dict[str, Any] = {
            name: grpc.stream_unary_rpc_method_handler(self._bound(name, behave))
            for name, behave in (behaviours | {"Info": self._info}).items()
        }
        handlers["EmbedStream"] = grpc.stream_stream_rpc_method_handler(self._bound("EmbedStream", self._stream))
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    def _bound(self, name: str, behave: Callable[[Call], Awaitable[bytes]]) -> Callable[[Any, Any], Awaitable[bytes]]:
        endpoint = f"/{SERVICE}/{name}"

        async def admitted(call: Call) -> bytes:
            call.admit(endpoint)
            return await behave(call)

        async def serve(requests: object, rpc: object) -> bytes:  # noqa: ARG001 (gRPC's signature)
            return await self._calls.serve(endpoint, rpc, admitted)

        return serve

    def _unary(self, method: Method) -> Callable[[Call], Awaitable[bytes]]:
        async def behave(call: Call) -> bytes:
            self._runtime.require_start()
            value = method.value(messages.parse(await call.read(), method.request))
            wanted = check(method.schema, value, strict=True, max_items=self._runtime.settings.max_items)
            del value
            result = await method.handle(self._runtime, call.context, wanted)
            return await serialized(method.render, result)

        return behave

    async def _info(self, call: Call) -> bytes:
        messages.parse(await call.read(), pb.InfoRequest)
        serialized: bytes = answers.info_message(describe(self._runtime)).SerializeToString()
        return serialized

    async def _stream(self, call: Call) -> bytes:
        await call.greet()
        with self._calls.intake.stream(call.end) as place:
            await EmbedStream(call, self._runtime, self._room, self._calls.stopping, place).run()
        return b""


async def serialized(render: Callable[[Any], Any], result: object) -> bytes:
    """The bytes of an answer; of a large one made off the event loop."""

    def work() -> bytes:
        data: bytes = render(result).SerializeToString()
        return data

    return await asyncio.to_thread(work) if answers.is_large(result) else work()
