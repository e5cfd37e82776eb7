"""The gRPC service in the test's own process, before an engine that the test holds in its hand."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from service.engine.fake import FakeEngine
from service.engine.protocol import Array, Batch, RowInputs
from service.rpc.server import RpcServer
from service.runtime import Runtime
from service.settings import load_settings
from tests.repository import REPOSITORY

Failure = Callable[[], Exception]


class HeldEngine(FakeEngine):
    """Answers one vector for everything, when its gate is open; notes when each batch was due, in seconds from then.

    `looks` counts how often it was asked whether it is ready.
    """

    def __init__(self) -> None:
        super().__init__(_rule)
        self.due_s: list[float] = []
        self.failure: Failure | None = None
        self.entered = asyncio.Event()
        self.looks = 0

    def ready(self) -> bool:
        self.looks += 1
        return super().ready()

    async def infer(self, model: str, batch: Batch) -> Array:
        self.due_s.append(batch.deadline_s - asyncio.get_running_loop().time())
        self.entered.set()
        if self.failure is not None:
            raise self.failure()
        return await super().infer(model, batch)


def _rule(inputs: RowInputs) -> Array:
    return np.full(128, 128**-0.5, dtype=np.float32)


@dataclass(slots=True)
class Local:
    """A running service; `stub` calls it."""

    engine: HeldEngine
    runtime: Runtime
    server: RpcServer
    channel: grpc.aio.Channel
    stub: Any

    def waiting(self) -> float:
        """Texts that wait for an engine slot."""
        (line,) = [line for line in self._metrics() if line.startswith('onepeace_queue_depth{model="text"}')]
        return float(line.split()[-1])

    def in_flight(self) -> float:
        (line,) = [line for line in self._metrics() if line.startswith("onepeace_requests_in_flight ")]
        return float(line.split()[-1])

    def _metrics(self) -> list[str]:
        return self.runtime.metrics.render()[0].decode().splitlines()


@asynccontextmanager
async def local_service(
    stub: Any, repository: Path = REPOSITORY, started: bool = True, **settings: object
) -> AsyncIterator[Local]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    engine = HeldEngine()
    runtime = Runtime(load_settings({"model_repository": repository, "grpc_port": port, **settings}), engine)
    server = RpcServer(runtime)
    await server.start()
    if started:
        await runtime.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Local(engine, runtime, server, channel, stub(channel))
    finally:
        engine.gate.set()
        await server.stop()
        await runtime.close()
