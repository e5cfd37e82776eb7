"""A Triton that does as told: real gRPC, no models."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from service.repository import CONTRACTS, ModelFolder


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers each row by the sum of its token ids, in every place of the vector.

    Attributes:
        fail: (status, text) that every inference gets, canaries too unless `canaries_pass`.
        fingerprint: what it says of its models, instead of theirs.
        delay_s: before each answer, canaries' too.
        one_by_one: a lock that lets only one inference run at a time, in the order in which they came; or None.
        attempts: rows of each inference that came in.
        cancelled: inferences that ended because the caller had gone.
        deadlines: seconds left to each, as the server saw it.
        traceparents: the W3C context of each that had one.
    """

    def __init__(self, models: dict[str, ModelFolder]) -> None:
        self.models = models
        self.fail: tuple[grpc.StatusCode, str] | None = None
        self.canaries_pass = True
        self.fingerprint: str | None = None
        self.delay_s = 0.0
        self.one_by_one: asyncio.Lock | None = None
        self.attempts: list[int] = []
        self.cancelled = 0
        self.deadlines: list[float] = []
        self.shapes: list[tuple[int, ...]] = []
        self.traceparents: list[str] = []

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802 (gRPC's name)
        model = self.models[request.name]
        contract = CONTRACTS[request.name]
        answer = service_pb2.ModelMetadataResponse(name=request.name)
        for tensors, own in ((answer.inputs, contract.inputs), (answer.outputs, (contract.output,))):
            for tensor in own:
                tensors.add(name=tensor.name, datatype=tensor.data_type, shape=[-1, *model.card.dims(tensor)])
        return answer

    async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = service_pb2.ModelConfigResponse()
        answer.config.CopyFrom(self.models[request.name].config)
        if self.fingerprint is not None:
            answer.config.parameters["fingerprint"].string_value = self.fingerprint
        return answer

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        shape = tuple(request.inputs[0].shape)
        is_canary = shape == (1, self.models["text"].length_buckets[0]) and self._tokens(request)[0, 0] == 2
        if not is_canary:
            self.attempts.append(shape[0])
            self.shapes.append(shape)
            self.deadlines.append(context.time_remaining())
            self.traceparents += [value for key, value in context.invocation_metadata() if key == "traceparent"]
        try:
            async with self.one_by_one or contextlib.nullcontext():
                await asyncio.sleep(self.delay_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.fail is not None and not (is_canary and self.canaries_pass):
            await context.abort(*self.fail)
        width = self.models["text"].card.embedding_dim or 1
        sums = self._tokens(request).sum(axis=1, keepdims=True)
        answer = service_pb2.ModelInferResponse(model_name=request.model_name)
        answer.outputs.add(name="embedding", datatype="FP32", shape=[shape[0], width])
        answer.raw_output_contents.append(np.repeat(sums, width, axis=1).astype("<f4").tobytes())
        return answer

    @staticmethod
    def _tokens(request: Any) -> np.ndarray:
        return np.frombuffer(request.raw_input_contents[0], "<i8").reshape(tuple(request.inputs[0].shape))


@asynccontextmanager
async def serving(fake: FakeTriton, port: int = 0) -> AsyncIterator[int]:
    """Serve it on loopback; gives the port."""
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(fake, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)
