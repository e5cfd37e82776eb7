"""A real Triton that is full, stopped, killed, or without a model: no hung request, no wrong answer, quick recovery."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from service.repository import CONFIG_FILE, read_config, write_config
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import encoded, picture
from tests.triton.wheel_server import WheelServer, needs_wheel, wheel_server

RECOVERY_S = 2.0
PROBE_S = 0.5
TEXTS = [f"text number {number}" for number in range(8)]


@pytest.fixture(scope="module")
def triton(two_models: Path) -> Iterator[WheelServer]:
    needs_wheel()
    with wheel_server(two_models, "--model-control-mode=explicit", "--load-model=*") as running:
        yield running


@pytest.fixture(scope="module")
def gateway(triton: WheelServer, two_models: Path) -> Iterator[LiveServer]:
    settings = {"engine": "triton", "triton_url": triton.url, "triton_probe_timeout_ms": int(PROBE_S * 1000)}
    with live_server(two_models, deadline_ms=4000, **settings) as running:
        yield running


@pytest.fixture
async def asking(gateway: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30.0) as client:
        await until_answered(client, RECOVERY_S + PROBE_S)
        yield client


async def embed(client: httpx.AsyncClient, text: str) -> httpx.Response:
    return await client.post("/embed", json={"inputs": [{"text": text}]})


async def until_answered(client: httpx.AsyncClient, within_s: float, text: str = "a cow") -> float:
    """Seconds until a text is embedded."""
    started = time.monotonic()
    while True:
        if (await embed(client, text)).status_code == 200:
            return time.monotonic() - started
        assert time.monotonic() - started < within_s, "not answered again in time"
        await asyncio.sleep(0.02)


class Load:
    """Callers that ask for known texts without a pause, and what they got."""

    def __init__(self, client: httpx.AsyncClient, right: list[np.ndarray]) -> None:
        self._client, self._right = client, right
        self._end = asyncio.Event()
        self.outcomes: Counter[str] = Counter()
        self.wrong = 0
        self.longest_s = 0.0

    async def run(self) -> None:
        """Until `stop`."""
        await asyncio.gather(*(self._caller(number) for number in range(len(TEXTS))))

    def stop(self) -> None:
        self._end.set()

    async def until(self, outcome: str, count: int = 1) -> None:
        wanted = self.outcomes[outcome] + count
        async with asyncio.timeout(20):
            while self.outcomes[outcome] < wanted:
                await asyncio.sleep(0.01)

    async def _caller(self, number: int) -> None:
        while not self._end.is_set():
            started = time.monotonic()
            answer = await embed(self._client, TEXTS[number])
            self.longest_s = max(self.longest_s, time.monotonic() - started)
            body = answer.json()
            if answer.status_code == 200:
                self.outcomes["ok"] += 1
                vector = np.array(body["data"][0]["embedding"])
                self.wrong += bool(np.abs(vector - self._right[number]).max() > 1e-5)
            else:
                self.outcomes[body["code"]] += 1
                await asyncio.sleep(0.01)


@asynccontextmanager
async def under_load(client: httpx.AsyncClient) -> AsyncIterator[Load]:
    """Callers while the body runs; afterwards every answer must have been right, and none late."""
    right = [np.array((await embed(client, text)).json()["data"][0]["embedding"]) for text in TEXTS]
    load = Load(client, right)
    task = asyncio.create_task(load.run())
    try:
        await load.until("ok", 20)
        yield load
    finally:
        load.stop()
        await task
    assert load.wrong == 0
    assert load.longest_s < 5.0, "a request hung"
    assert load.outcomes.keys() <= {"ok", "engine_unavailable", "deadline_exceeded"}, load.outcomes


async def test_a_killed_server_is_503_until_it_is_back(asking: httpx.AsyncClient, triton: WheelServer) -> None:
    async with under_load(asking) as load:
        triton.kill()
        await load.until("engine_unavailable", 20)
        await stays_ready(asking)
        assert (await asking.get("/health/live")).status_code == 200
        triton.start()
        await asyncio.to_thread(triton.wait_until_ready)
        assert await until_answered(asking, RECOVERY_S) < RECOVERY_S
        await load.until("ok", 20)
    async with asyncio.timeout(RECOVERY_S):
        while (await asking.get("/health/ready")).json()["engine"] != "ready":
            await asyncio.sleep(0.02)


async def test_a_stopped_server_is_found_sick_by_its_canary(asking: httpx.AsyncClient, triton: WheelServer) -> None:
    async with under_load(asking) as load:
        triton.send(signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            await load.until("engine_unavailable")
            assert time.monotonic() - stopped < 1.0 + PROBE_S + 1.0
            refused = time.monotonic()
            assert (await embed(asking, "a cow")).json()["code"] == "engine_unavailable"
            assert time.monotonic() - refused < 0.5
            await stays_ready(asking)
        finally:
            triton.send(signal.SIGCONT)
        assert await until_answered(asking, RECOVERY_S) < RECOVERY_S
        await load.until("ok", 20)


async def test_a_deadline_holds_while_the_server_is_stopped(triton: WheelServer, two_models: Path) -> None:
    settings = {"engine": "triton", "triton_url": triton.url}  # a canary may take 5 s: the deadline comes first
    with live_server(two_models, deadline_ms=400, **settings) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30.0) as client:
            assert (await embed(client, "a cow")).status_code == 200
            triton.send(signal.SIGSTOP)
            try:
                started = time.monotonic()
                answer = await embed(client, "a cow")
                assert answer.json()["code"] == "deadline_exceeded"
                assert 0.4 <= time.monotonic() - started < 0.7
            finally:
                triton.send(signal.SIGCONT)


async def test_an_unloaded_model_is_503_alone_until_it_is_loaded(
    asking: httpx.AsyncClient, triton: WheelServer
) -> None:
    seen = {"inputs": [{"image": encoded(picture(1))}]}
    async with under_load(asking) as load:
        with triton.client() as control:
            control.unload_model("text")
            await load.until("engine_unavailable")
            assert (await asking.post("/embed", json=seen)).status_code == 200
            await stays_ready(asking)
            control.load_model("text")
        assert await until_answered(asking, RECOVERY_S) < RECOVERY_S
        await load.until("ok", 20)


async def test_requests_are_refused_at_once_and_without_a_call_while_nobody_listens(two_models: Path) -> None:
    settings = {"engine": "triton", "triton_url": "127.0.0.1:9"}
    with live_server(two_models, wait=False, **settings) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30.0) as client:
            await until_started(client)
            answers = await asyncio.gather(*(embed(client, "a cow") for _ in range(100)))
            assert {answer.status_code for answer in answers} == {503}
            assert all(answer.headers["retry-after"] == "1" for answer in answers)
            assert attempts((await client.get("/metrics")).text) == 0


async def stays_ready(client: httpx.AsyncClient) -> None:
    """All gateways share the server that is away: none may be taken out for it."""
    answer = await client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "engine": "unavailable"}


async def until_started(client: httpx.AsyncClient) -> None:
    """Until the service takes requests, though no engine has answered yet."""
    async with asyncio.timeout(30):
        while True:
            try:
                answer = await client.get("/health/ready")
                if answer.json() == {"status": "engine_unavailable", "engine": "unavailable"}:
                    assert answer.status_code == 503
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


def attempts(metrics: str) -> float:
    lines = [line for line in metrics.splitlines() if line.startswith("onepeace_engine_calls_total")]
    return sum(float(line.split()[-1]) for line in lines)


async def test_a_full_queue_in_triton_is_429(python_repository: Path, tmp_path: Path) -> None:
    """With a queue bound, which our own configurations never set."""
    needs_wheel()
    shutil.copytree(python_repository / "text", tmp_path / "repository" / "text")
    path = tmp_path / "repository" / "text" / CONFIG_FILE
    config = read_config(path)
    config.dynamic_batching.default_queue_policy.max_queue_size = 1
    write_config(config, path)
    with (
        wheel_server(tmp_path / "repository") as triton,
        live_server(tmp_path / "repository", engine="triton", triton_url=triton.url, triton_calls=64) as gateway,
    ):
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30.0) as client:
            texts = [f"word {number} " * (number % 40) for number in range(200)]
            answers = await asyncio.gather(*(embed(client, text) for text in texts))
    codes = Counter(answer.status_code for answer in answers)
    assert codes.keys() == {200, 429}, codes
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "queue_full"
    assert refused.headers["retry-after"] == "1"
