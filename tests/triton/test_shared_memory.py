"""Batches handed to a real Triton in shared memory: the same answers, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import clip, encoded, picture
from tests.triton.wheel_server import WheelServer

ITEMS = [{"image": encoded(picture(number))} for number in range(24)] + [
    {"audio": encoded(clip(number, 1.0 + number % 5))} for number in range(12)
]


@pytest.fixture(scope="module")
def sharing(triton: WheelServer) -> Iterator[LiveServer]:
    with live_server(REPOSITORY, engine="triton", triton_url=triton.url, triton_shared_memory="true") as running:
        yield running


def regions(triton: WheelServer, server: LiveServer) -> list[str]:
    """What Triton maps of a gateway's memory."""
    with triton.client() as client:
        known = client.get_system_shared_memory_status(as_json=True).get("regions", {})
    return [name for name in known if name.startswith(f"onepeace-{server.process.pid}-")]


def embed(url: str, items: list[dict[str, str]]) -> np.ndarray:
    answer = httpx.post(url + "/embed", json={"inputs": items}, timeout=60.0)
    assert answer.status_code == 200, answer.text
    return np.array([datum["embedding"] for datum in answer.json()["data"]])


def test_answers_are_those_of_the_embedded_engine(sharing: LiveServer, server: LiveServer, triton: WheelServer) -> None:
    expected = embed(server.url, ITEMS)
    for _ in range(3):  # regions are used again
        np.testing.assert_allclose(embed(sharing.url, ITEMS), expected, rtol=0, atol=1e-5)
    assert regions(triton, sharing), "nothing travelled in shared memory"
    assert not list(Path("/dev/shm").glob(f"onepeace-{sharing.process.pid}-*")), (
        "a name that would outlive a killed gateway"
    )


def test_memory_that_triton_was_told_to_forget_is_no_error(
    sharing: LiveServer, server: LiveServer, triton: WheelServer
) -> None:
    expected = embed(server.url, ITEMS)
    embed(sharing.url, ITEMS)
    with triton.client() as client:
        client.unregister_system_shared_memory()
    np.testing.assert_allclose(embed(sharing.url, ITEMS), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(embed(sharing.url, ITEMS), expected, rtol=0, atol=1e-5)


async def test_calls_that_are_cut_short_spoil_no_other(sharing: LiveServer, server: LiveServer) -> None:
    expected = await asyncio.to_thread(embed, server.url, ITEMS)
    async with httpx.AsyncClient(base_url=sharing.url, timeout=60.0) as client:
        for pause_s in (0.01, 0.03, 0.06):
            leaving = [asyncio.create_task(client.post("/embed", json={"inputs": ITEMS})) for _ in range(4)]
            await asyncio.sleep(pause_s)
            for task in leaving:
                task.cancel()
            answer = await client.post("/embed", json={"inputs": ITEMS})
            assert answer.status_code == 200, answer.text
            vectors = np.array([datum["embedding"] for datum in answer.json()["data"]])
            np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-5)


def test_nothing_is_left_behind(triton: WheelServer) -> None:
    with live_server(REPOSITORY, engine="triton", triton_url=triton.url, triton_shared_memory="true", drain_s=0) as one:
        embed(one.url, ITEMS)
        assert regions(triton, one)
        one.terminate()
        assert one.process.wait(20) == 0
    assert regions(triton, one) == []
