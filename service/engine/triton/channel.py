"""One gRPC connection to one Triton: batches as its messages, its exceptions as our errors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any

import numpy as np
from grpc import ChannelConnectivity, ChannelCredentials
from grpc.aio import AioRpcError, UsageError, insecure_channel, secure_channel
from tritonclient.grpc import service_pb2, service_pb2_grpc

from service.engine.protocol import Array, Batch
from service.engine.triton.faults import is_unknown_region, translate
from service.engine.triton.shared_memory import Region, SharedMemory, needed_bytes, place
from service.engine.triton.verification import differences
from service.errors import DeadlineExceeded, EngineFailure, EngineUnavailable
from service.repository import CONTRACTS, ModelFolder
from service.tracing import Span

INLINE_BYTES = 64 * 1024
"""Batches up to this size become messages on the event loop: some 50 µs, as much as a change of threads."""
CHANNEL_ARGUMENTS = (
    ("grpc.max_send_message_length", -1),  # the batcher bounds batches
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # A server takes many pings without calls for an attack; canaries find a connection that died idle.
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 0),
    # A lost server is looked for again at least twice a second; gRPC's own pause grows to 2 minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_retries", 0),  # retries are ours, within a budget
    ("grpc.use_local_subchannel_pool", 1),
)
_DATA_TYPES = {"i8": "INT64", "u1": "UINT8", "f4": "FP32"}


class Channel:
    """Calls to one address. `pool` does what would keep the event loop busy.

    With `credentials`, the server's certificate must be for `host`, the name that gave the address.
    """

    def __init__(
        self,
        address: str,
        pool: Executor,
        *,
        shares_memory: bool = False,
        credentials: ChannelCredentials | None = None,
        host: str = "",
    ) -> None:
        self.address, self._pool = address, pool
        if credentials is None:
            self._channel = insecure_channel(address, options=CHANNEL_ARGUMENTS)
        else:
            named = (("grpc.ssl_target_name_override", host), ("grpc.default_authority", host))
            self._channel = secure_channel(address, credentials, options=(*CHANNEL_ARGUMENTS, *named))
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._shared = SharedMemory(self._stub) if shares_memory else None

    async def infer(self, model: str, batch: Batch, until_s: float) -> Array:
        """One attempt, given up at the event loop's time `until_s`; float32 [B, …].

        Cancelling it cancels the call on the server, too.

        Raises:
            EngineFailure, EngineUnavailable, QueueFull, DeadlineExceeded: see `faults.translate`.
        """
        request, region = await self._request(model, batch)
        answer = None
        try:
            answer = await self._call(model, request, until_s, batch.span)
        except AioRpcError as error:
            if self._shared is None or region is None or not is_unknown_region(error):
                raise translate(error, model) from error
            self._shared.drop(region)
        finally:
            if self._shared is not None and region is not None:
                self._shared.give_back(region, read=answer is not None)
        if answer is None:
            answer = await self._call_with_message(model, batch, until_s)
        return _output(model, answer, len(batch))

    async def _call_with_message(self, model: str, batch: Batch, until_s: float) -> Any:
        tensors = await asyncio.get_running_loop().run_in_executor(self._pool, batch.tensors)
        try:
            return await self._call(model, _message(model, tensors), until_s, batch.span)
        except AioRpcError as error:
            raise translate(error, model) from error

    async def _call(self, model: str, request: Any, until_s: float, span: Span | None) -> Any:
        timeout_s = until_s - asyncio.get_running_loop().time()
        if timeout_s <= 0:
            raise DeadlineExceeded(f"no answer of the model '{model}' within the deadline")
        metadata = None if span is None else (("traceparent", span.traceparent),)
        try:
            return await self._stub.ModelInfer(request, timeout=timeout_s, metadata=metadata)
        except UsageError as error:  # the channel was closed a moment ago
            raise EngineUnavailable(f"the model '{model}' can't be reached") from error

    async def compare(self, model: ModelFolder, timeout_s: float) -> list[str]:
        """How the server's model differs from ours; empty when it does not.

        Raises:
            EngineUnavailable, DeadlineExceeded, EngineFailure: there was no answer.
        """
        try:
            metadata = await self._stub.ModelMetadata(
                service_pb2.ModelMetadataRequest(name=model.name), timeout=timeout_s
            )
            answer = await self._stub.ModelConfig(service_pb2.ModelConfigRequest(name=model.name), timeout=timeout_s)
        except AioRpcError as error:
            raise translate(error, model.name) from error
        return differences(model, metadata, answer.config)

    async def connected(self) -> None:
        """Return when there is a connection; calls make it."""
        while (state := self._channel.get_state()) is not ChannelConnectivity.READY:
            await self._channel.wait_for_state_change(state)

    async def lost(self) -> None:
        """Return when the connection is lost; at once when there is none."""
        if self._channel.get_state() is ChannelConnectivity.READY:
            await self._channel.wait_for_state_change(ChannelConnectivity.READY)

    async def tidy(self) -> None:
        """Let the server unmap what nobody reads any more."""
        if self._shared is not None:
            await self._shared.tidy()

    def connection_lost(self) -> None:
        """The server will know nothing of what it was told before."""
        if self._shared is not None:
            self._shared.forget()

    async def close(self) -> None:
        """Close the connection; calls under way end."""
        if self._shared is not None:
            await self._shared.close()
        await self._channel.close()

    async def _request(self, model: str, batch: Batch) -> tuple[Any, Region | None]:
        size = sum(value.nbytes for row in batch.rows for value in row.values())
        if size <= INLINE_BYTES:
            return _message(model, batch.tensors()), None
        loop = asyncio.get_running_loop()
        tensors = await loop.run_in_executor(self._pool, batch.tensors)
        if self._shared is None:
            return await loop.run_in_executor(self._pool, _message, model, tensors), None
        region = await self._shared.take(needed_bytes(tensors))
        writing = loop.run_in_executor(self._pool, _message, model, tensors, region)
        try:
            return await asyncio.shield(writing), region
        except BaseException:  # cancelled: the region is free when the thread has ended, and nobody else will read it
            if region is not None:
                give_back = partial(self._shared.give_back, region, read=True)
                writing.add_done_callback(lambda _: give_back())
            raise


def _message(model: str, tensors: Mapping[str, Array], region: Region | None = None) -> Any:
    request = service_pb2.ModelInferRequest(model_name=model)
    request.outputs.add(name=CONTRACTS[model].output.name)
    for name, tensor in tensors.items():
        request.inputs.add(name=name, datatype=_DATA_TYPES[tensor.dtype.str[1:]], shape=tensor.shape)
        if region is None:
            request.raw_input_contents.append(tensor.tobytes())  # little-endian, rows after each other
    if region is not None:
        place(request, region, tensors)
    return request


def _output(model: str, answer: Any, rows: int) -> Array:
    wanted = CONTRACTS[model].output.name
    for tensor, content in zip(answer.outputs, answer.raw_output_contents, strict=False):
        if tensor.name == wanted and tensor.datatype == "FP32":
            shape = tuple(tensor.shape)
            if shape[:1] == (rows,) and len(content) == 4 * int(np.prod(shape)):
                return np.frombuffer(content, dtype="<f4").reshape(shape)
    raise EngineFailure(f"the model '{model}' gave an answer of another shape")
