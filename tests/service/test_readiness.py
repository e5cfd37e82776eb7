"""Ready is: warmed once and not draining. Live is: this process can still serve."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest

from service.app import build_app
from service.decoding import template_process
from service.engine.fake import FakeEngine
from service.runtime import Runtime
from service.settings import load_settings
from service.wire.operations import NotReadyAnswer
from tests.repository import REPOSITORY
from tests.service.decoding.descendants import template_of

DIMENSIONS = 128


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(lambda _: np.full(DIMENSIONS, DIMENSIONS**-0.5, dtype=np.float32))


@pytest.fixture
async def runtime(engine: FakeEngine) -> AsyncIterator[Runtime]:
    built = Runtime(load_settings({"model_repository": REPOSITORY}), engine)
    yield built
    await built.close()


@pytest.fixture
async def asking(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


async def health(client: httpx.AsyncClient, name: str = "ready") -> tuple[int, dict[str, str]]:
    answer = await client.get(f"/health/{name}")
    return answer.status_code, answer.json()


async def test_it_is_not_ready_before_the_models_are_loaded(asking: httpx.AsyncClient, engine: FakeEngine) -> None:
    engine.is_ready = False
    assert await health(asking) == (503, {"status": "starting", "engine": "unavailable"})
    assert await health(asking, "live") == (200, {"status": "live"})


async def test_a_remote_engine_must_answer_once_before_it_is_ready(
    asking: httpx.AsyncClient, engine: FakeEngine, runtime: Runtime
) -> None:
    engine.is_ready = False
    await runtime.start()
    assert await health(asking) == (503, {"status": "engine_unavailable", "engine": "unavailable"})
    engine.is_ready = True
    async with asyncio.timeout(5):
        while not runtime.ready():
            await asyncio.sleep(0.01)
    assert await health(asking) == (200, {"status": "ready", "engine": "ready"})


async def test_an_engine_that_is_away_later_leaves_it_ready_and_is_told(
    asking: httpx.AsyncClient, engine: FakeEngine, runtime: Runtime
) -> None:
    await runtime.start()
    engine.is_ready = False
    assert await health(asking) == (200, {"status": "ready", "engine": "unavailable"})
    assert "onepeace_ready 1.0" in (await asking.get("/metrics")).text


async def test_a_drain_ends_readiness_for_good_even_while_it_waits_for_an_engine(
    asking: httpx.AsyncClient, engine: FakeEngine, runtime: Runtime
) -> None:
    engine.is_ready = False
    await runtime.start()
    runtime.drain()
    engine.is_ready = True
    await asyncio.sleep(0.2)  # several looks at the engine
    assert await health(asking) == (503, {"status": "draining", "engine": "ready"})
    assert await health(asking, "live") == (200, {"status": "live"})


async def test_a_dead_embedded_engine_makes_the_process_neither_ready_nor_live(
    asking: httpx.AsyncClient, engine: FakeEngine, runtime: Runtime
) -> None:
    await runtime.start()
    engine.is_alive = False
    assert await health(asking) == (503, {"status": "engine_dead", "engine": "ready"})
    assert await health(asking, "live") == (503, {"status": "engine_dead"})


async def test_without_decoding_processes_it_is_not_ready_and_says_so(
    asking: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await runtime.start()
    monkeypatch.setattr(template_process, "COMMAND", ("/bin/false",))
    os.kill(template_of(os.getpid()), signal.SIGKILL)
    async with asyncio.timeout(20):
        while runtime.ready():
            await asyncio.sleep(0.01)
    status, state = await health(asking)
    assert (status, state) == (503, {"status": "decoders_unavailable", "engine": "ready"})
    NotReadyAnswer.model_validate(state)
    assert await health(asking, "live") == (200, {"status": "live"})
    monkeypatch.undo()
    async with asyncio.timeout(20):
        while not runtime.ready():
            await asyncio.sleep(0.01)
    assert await health(asking) == (200, {"status": "ready", "engine": "ready"})
