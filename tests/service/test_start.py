"""SIGTERM under load: not ready at once, every accepted request answered, a clean exit."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import httpx

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import clip, encoded, picture

DRAIN_S, GRACE_S, BALANCER_S = 1.5, 10.0, 0.5
BUSY_S = 60.0  # a crowded machine may take long to answer the first
BODIES = [
    {"inputs": [{"text": "a cow"}]},
    {"inputs": [{"image": encoded(picture(1, (640, 480), "JPEG"))}]},
    {"inputs": [{"audio": encoded(clip(1, 4.0))}]},
]


async def keep_asking(server: LiveServer, number: int, end: asyncio.Event, outcomes: list[int]) -> None:
    """One caller behind a load balancer: asks until the balancer has taken the server out."""
    async with httpx.AsyncClient(base_url=server.url, timeout=30.0) as client:
        while not end.is_set():
            answer = await client.post("/embed", json=BODIES[number % 3])
            outcomes.append(answer.status_code)


async def seen_not_ready(server: LiveServer) -> float:
    """Seconds until `/health/ready` says 503."""
    started = time.monotonic()
    async with httpx.AsyncClient(base_url=server.url, timeout=10.0) as client:
        while (await client.get("/health/ready")).status_code == 200:
            await asyncio.sleep(0.001)
    return time.monotonic() - started


async def test_sigterm_under_load_loses_nothing() -> None:
    with live_server(REPOSITORY, drain_s=DRAIN_S, grace_s=GRACE_S) as server:
        outcomes: list[int] = []
        end = asyncio.Event()
        callers = [asyncio.create_task(keep_asking(server, i, end, outcomes)) for i in range(24)]
        async with asyncio.timeout(BUSY_S):
            while len(outcomes) < len(callers):
                await asyncio.sleep(0.02)
        before = len(outcomes)
        server.terminate()
        signalled = time.monotonic()
        assert await seen_not_ready(server) < 0.5
        await asyncio.sleep(BALANCER_S)  # a balancer takes a while to act on it; until then callers keep coming
        end.set()
        while server.process.poll() is None:
            assert time.monotonic() - signalled < DRAIN_S + GRACE_S, "still running after its grace period"
            await asyncio.sleep(0.02)
        await asyncio.gather(*callers)  # a lost or reset request would raise here
        assert server.process.returncode == 0
        assert len(outcomes) > before
        assert set(outcomes) == {200}


def test_a_broken_repository_ends_the_start_with_its_name() -> None:
    command = [sys.executable, "-m", "service.cli", "serve", "--model-repository", "no/such/folder", "--port", "0"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "no/such/folder" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_ends_the_start_with_its_name(server: LiveServer) -> None:
    command = [sys.executable, "-m", "service.cli", "serve", "--model-repository", str(REPOSITORY)]
    result = subprocess.run([*command, "--port", str(server.port)], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert f"127.0.0.1:{server.port}" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_bad_setting_ends_the_start_with_its_name() -> None:
    command = [sys.executable, "-m", "service.cli", "serve", "--max-items", "many", "--port", "70000"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert "ONEPEACE_MAX_ITEMS" in result.stderr
    assert "--port" in result.stderr
