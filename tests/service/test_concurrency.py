"""Many callers at once: everyone gets the answer that they would get alone."""

from __future__ import annotations

import asyncio
import contextlib
import re

import httpx
import numpy as np

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import clip, encode_clip, encoded, picture

REQUESTS = 200
CORRUPT = 77


def request(number: int) -> dict[str, object]:
    """The item of one request: texts, pictures and clips of many lengths in turn."""
    if number == CORRUPT:
        return {"image": encoded(picture(1, (300, 200), "JPEG")[:900])}
    kind = number % 3
    if kind == 0:
        return {"text": f"number {number} " + "and more words " * (number % 17)}
    if kind == 1:
        return {"image": encoded(picture(number, (40 + number, 200)))}
    return {"audio": encoded(clip(number, 0.4 + (number % 11) * 0.3))}


async def send(client: httpx.AsyncClient, number: int) -> httpx.Response:
    return await client.post("/embed", json={"inputs": [request(number)]})


async def test_200_mixed_requests_at_once_each_get_their_own_answer(server: LiveServer) -> None:
    limits = httpx.Limits(max_connections=REQUESTS)
    async with httpx.AsyncClient(base_url=server.url, timeout=120.0, limits=limits) as client:
        together = await asyncio.gather(*(send(client, number) for number in range(REQUESTS)))
        assert [answer.status_code for answer in together] == [
            422 if number == CORRUPT else 200 for number in range(REQUESTS)
        ]
        assert together[CORRUPT].json()["code"] == "unreadable_image"
        for number in range(REQUESTS):
            if number == CORRUPT:
                continue
            alone = await send(client, number)
            np.testing.assert_allclose(
                together[number].json()["data"][0]["embedding"],
                alone.json()["data"][0]["embedding"],
                atol=1e-5,
                err_msg=f"request {number}",
            )
        metrics = (await client.get("/metrics")).text
    for model in ("text", "image", "audio"):
        counts = dict(re.findall(rf'onepeace_batch_size_bucket{{le="([^"]+)",model="{model}"}} ([0-9.]+)', metrics))
        assert float(counts["+Inf"]) > float(counts["1.0"]), f"every batch of {model} had one row"


async def test_a_full_queue_refuses_with_retry_after_and_recovers(server: LiveServer) -> None:
    with live_server(REPOSITORY, max_queue=4, max_items=4) as small:
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(base_url=small.url, timeout=60.0, limits=limits) as client:
            body = {"inputs": [{"audio": encoded(clip(1, 15.0))}]}
            answers = await asyncio.gather(*(client.post("/embed", json=body) for _ in range(40)))
            codes = {answer.status_code for answer in answers}
            assert codes == {200, 429}
            for answer in answers:
                if answer.status_code == 429:
                    assert answer.headers["retry-after"] == "1"
                    assert answer.json()["errors"][0]["limit"] == 4
            assert (await client.post("/embed", json=body)).status_code == 200


async def test_parts_count_against_the_queue_before_they_are_decoded(server: LiveServer) -> None:
    silence = encoded(encode_clip(np.zeros(15 * 16_000, dtype=np.int16), form="FLAC"))
    body = {"inputs": [{"parts": [{"audio": silence}] * 60}]}
    with live_server(REPOSITORY, max_queue=64, max_items=64) as small:
        limits = httpx.Limits(max_connections=16)
        async with httpx.AsyncClient(base_url=small.url, timeout=60.0, limits=limits) as client:
            answers = await asyncio.gather(*(client.post("/embed", json=body) for _ in range(12)))
    assert sorted({answer.status_code for answer in answers}) == [200, 429]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert max(answer.elapsed.total_seconds() for answer in refused) < min(
        answer.elapsed.total_seconds() for answer in answers if answer.status_code == 200
    )


async def test_the_deadline_ends_a_request(server: LiveServer) -> None:
    with live_server(REPOSITORY, deadline_ms=1) as hasty:
        async with httpx.AsyncClient(base_url=hasty.url, timeout=60.0) as client:
            answer = await client.post("/embed", json={"inputs": [{"audio": encoded(clip(1, 15.0, 44_100))}]})
            assert answer.status_code == 504
            assert answer.json()["code"] == "deadline_exceeded"
            assert answer.json()["errors"][0]["limit"] == 1


async def test_a_caller_who_leaves_frees_its_place(server: LiveServer) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60.0) as client:
        body = {"inputs": [{"audio": encoded(clip(1, 15.0, 44_100, channels=2))}] * 30}
        with contextlib.suppress(httpx.TimeoutException):
            await client.post("/embed", json=body, timeout=0.15)
        for _ in range(200):
            text = (await client.get("/metrics")).text
            # The metrics request itself is in flight.
            if "onepeace_requests_in_flight 1.0" in text:
                break
            await asyncio.sleep(0.05)
        assert "onepeace_requests_in_flight 1.0" in text
