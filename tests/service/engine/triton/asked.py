"""An engine before servers of a test's own, and how it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from service.engine.observer import BreakerState
from service.engine.protocol import Batch
from service.engine.triton.engine import TritonEngine
from service.repository import ModelFolder
from service.settings import Settings


class Ledger:
    """Keeps what the engine reports."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.retries = 0
        self.breakers: dict[str, BreakerState | None] = {}

    def call_ended(self, model: str, outcome: str, seconds: float) -> None:
        self.outcomes.append(outcome)

    def call_retried(self, model: str) -> None:
        self.retries += 1

    def breaker_changed(self, address: str, model: str, state: BreakerState | None) -> None:
        self.breakers[address] = state


@asynccontextmanager
async def engine_for(
    models: dict[str, ModelFolder], *ports: int, **more: bool
) -> AsyncIterator[tuple[TritonEngine, Ledger]]:
    url = ",".join(f"127.0.0.1:{port}" for port in ports)
    settings = Settings(engine="triton", triton_url=url, triton_probe_timeout_ms=300, **more)
    ledger = Ledger()
    engine = TritonEngine(models, settings, ledger)
    await engine.start()
    try:
        yield engine, ledger
    finally:
        await engine.close()


def rows(*tokens: int, within_s: float = 5.0, length: int | None = None) -> Batch:
    deadline_s = asyncio.get_running_loop().time() + within_s
    return Batch([{"tokens": np.array([token, 3], dtype=np.int64)} for token in tokens], length, deadline_s)


async def ready(engine: TritonEngine, wanted: bool, within_s: float = 2.0) -> None:
    async with asyncio.timeout(within_s):
        while engine.ready() is not wanted:
            await asyncio.sleep(0.01)


async def ask(engine: TritonEngine, times: int, pause_s: float = 0.0) -> None:
    for _ in range(times):
        await engine.infer("text", rows(4))
        await asyncio.sleep(pause_s)
