"""The service over a socket while its decoders crash, hang and take too much memory; and what they know of it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import pytest_asyncio

from tests.repository import REPOSITORY
from tests.service.decoding.descendants import (
    busy_worker,
    children,
    is_whole,
    lives,
    open_files,
    template_of,
    workers_of,
)
from tests.service.decoding.slow_files import slow_picture
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import clip, encoded, picture
from tests.service.waiting import until

WORKERS = 2
GOOD = {"inputs": [{"image": encoded(picture(1, (300, 200), "JPEG"))}, {"audio": encoded(clip(1))}, {"text": "a cow"}]}
POISON = {"inputs": [{"image": encoded(slow_picture())}]}
MIXED = {"inputs": [*GOOD["inputs"], *POISON["inputs"]], "on_error": "report"}


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(
        REPOSITORY, decode_threads=WORKERS, decode_isolation="process", decode_timeout_ms=4000, drain_s=0
    ) as running:
        yield running


@pytest_asyncio.fixture
async def client(server: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=60.0) as opened:
        yield opened


def restarts(text: str, reason: str) -> float:
    found = re.search(rf'onepeace_decode_worker_restarts_total{{reason="{reason}"}} ([0-9.]+)', text)
    return float(found[1]) if found else 0.0


async def restarts_of(client: httpx.AsyncClient, reason: str) -> float:
    return restarts((await client.get("/metrics")).text, reason)


async def mended(server: LiveServer) -> None:
    await asyncio.to_thread(until, lambda: is_whole(server.process.pid, WORKERS), "the pool is not whole")


@pytest.mark.parametrize(
    ("harm", "code", "reason"),
    [
        (signal.SIGSEGV, "decoder_crashed", "crashed"),
        (signal.SIGSTOP, "decoder_timeout", "timeout"),
    ],
)
async def test_harm_to_a_decoder_fails_its_file_alone(
    server: LiveServer, client: httpx.AsyncClient, harm: signal.Signals, code: str, reason: str
) -> None:
    alone = (await client.post("/embed", json=GOOD)).json()
    files, before = len(open_files(server.process.pid)), await restarts_of(client, reason)
    poisoned = asyncio.create_task(client.post("/embed", json=POISON))
    os.kill(await asyncio.to_thread(busy_worker, server.process.pid), harm)
    neighbours = await asyncio.gather(*(client.post("/embed", json=GOOD) for _ in range(12)))
    answer = await poisoned
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["errors"][0]["pointer"] == "/inputs/0/image"
    for neighbour in neighbours:
        assert neighbour.status_code == 200
        for got, expected in zip(neighbour.json()["data"], alone["data"], strict=True):
            np.testing.assert_allclose(got["embedding"], expected["embedding"], atol=1e-5)
    await mended(server)
    assert await restarts_of(client, reason) == before + 1
    assert (await client.get("/health/ready")).status_code == 200
    assert (await client.post("/embed", json=GOOD)).status_code == 200
    # The connections of the gathered requests may be open still; none of the workers' may.
    assert len([file for file in open_files(server.process.pid) if "memfd:decoding" in file]) == WORKERS
    assert len(open_files(server.process.pid)) <= files + 13


async def test_a_crash_is_reported_beside_good_items(server: LiveServer, client: httpx.AsyncClient) -> None:
    asked = asyncio.create_task(client.post("/embed", json=MIXED))
    os.kill(await asyncio.to_thread(busy_worker, server.process.pid), signal.SIGSEGV)
    answer = await asked
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert ["embedding" in item for item in data] == [True, True, True, False]
    assert data[3]["error"]["code"] == "decoder_crashed"
    await mended(server)


async def test_too_much_memory_is_refused() -> None:
    with live_server(REPOSITORY, decode_isolation="process", decode_memory_bytes=32 << 20) as small:
        async with httpx.AsyncClient(base_url=small.url, timeout=60.0) as asking:
            poisoned = asyncio.gather(*(asking.post("/embed", json=POISON) for _ in range(4)))
            neighbours = await asyncio.gather(*(asking.post("/embed", json=GOOD) for _ in range(8)))
            assert {answer.status_code for answer in neighbours} == {200}
            answers = await poisoned
            assert [answer.json()["code"] for answer in answers] == ["decoder_out_of_memory"] * 4
            async with asyncio.timeout(10):  # counted when the process has ended, which is after the answer
                while await restarts_of(asking, "memory") < 4:
                    await asyncio.sleep(0.05)
            assert await restarts_of(asking, "memory") == 4


async def test_a_caller_who_leaves_does_not_keep_a_worker(server: LiveServer, client: httpx.AsyncClient) -> None:
    before = await restarts_of(client, "abandoned")
    asked = asyncio.create_task(client.post("/embed", json=POISON))
    os.kill(await asyncio.to_thread(busy_worker, server.process.pid), signal.SIGSTOP)
    asked.cancel()
    async with asyncio.timeout(10):
        while await restarts_of(client, "abandoned") == before:
            await asyncio.sleep(0.05)
    await mended(server)
    assert (await client.post("/embed", json=GOOD)).status_code == 200


def test_decoders_get_nothing_of_the_service(server: LiveServer) -> None:
    for process in (template_of(server.process.pid), *workers_of(server.process.pid)):
        variables = Path(f"/proc/{process}/environ").read_bytes()
        assert b"ONEPEACE" not in variables
        assert b"HOME=" not in variables
        assert "onnxruntime" not in Path(f"/proc/{process}/maps").read_text()
    for worker in workers_of(server.process.pid):
        files = open_files(worker)
        assert len(files) == 6, files  # input, output, error, socket, file in memory, error for its own end
        assert files[:3] == ["/dev/null"] * 3
        assert sum(file.startswith("socket:") for file in files) == 1
        assert sum("memfd:decoding" in file for file in files) == 1


async def test_libraries_write_nothing_into_the_log(server: LiveServer, client: httpx.AsyncClient) -> None:
    sound = clip(1, form="MP3")
    gap = sound[:1000] + sound[1300:]  # libmpg123 says on stderr how it finds the next frame
    for _ in range(WORKERS):
        answer = await client.post("/embed", files={"audio": ("x.mp3", gap)})
        assert answer.json()["data"][0]["modality"] == "audio"
    assert "libmpg123" not in server.log()
    assert "Illegal Audio" not in server.log()
    assert "resync" not in server.log()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_decoder_outlives_the_service(end: signal.Signals) -> None:
    with live_server(REPOSITORY, decode_threads=WORKERS, decode_isolation="process", drain_s=0) as ending:
        template = template_of(ending.process.pid)
        workers = workers_of(ending.process.pid)
        assert len(workers) == WORKERS
        os.kill(workers[0], signal.SIGSTOP)  # even a worker that hangs
        ending.process.send_signal(end)
        assert ending.process.wait(30) == (-signal.SIGKILL if end == signal.SIGKILL else 0)
        until(lambda: not any(map(lives, [template, *workers])), "decoders are left")


def test_ctrl_c_reaches_the_service_alone(server: LiveServer) -> None:
    for process in (template_of(server.process.pid), *workers_of(server.process.pid)):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(process, number)
    assert is_whole(server.process.pid, WORKERS)
    assert httpx.post(server.url + "/embed", json=GOOD, timeout=60.0).status_code == 200


def test_threads_need_no_processes() -> None:
    with live_server(REPOSITORY, decode_isolation="thread") as threaded:
        assert children(threaded.process.pid) == []
        assert httpx.post(threaded.url + "/embed", json=GOOD, timeout=60.0).status_code == 200
