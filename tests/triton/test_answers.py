"""The gateway in front of a real Triton: the same answers as with the embedded engine, in real batches."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

import httpx
import numpy as np
import pytest

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import clip, encoded, picture
from tests.triton.wheel_server import WheelServer

IMAGE, LONG, SHORT = encoded(picture(3, (200, 120))), encoded(clip(3, 7.3)), encoded(clip(4, 0.6))
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "embed": (
        "/embed",
        {
            "inputs": [
                {"text": "a cow"},
                {"text": "many words " * 60},
                {"image": IMAGE},
                {"audio": LONG},
                {"audio": SHORT},
            ]
        },
    ),
    "fused": ("/embed", {"inputs": [{"parts": [{"text": "red"}, {"image": IMAGE}], "weights": [0.3, 0.7]}]}),
    "similarity": (
        "/similarity",
        {"queries": [{"audio": SHORT}], "candidates": [{"text": "a dog"}, {"image": IMAGE}], "probabilities": True},
    ),
    "classify": ("/classify", {"input": {"image": IMAGE}, "labels": ["cow", "bell"], "template": "a {}"}),
    "ground": ("/ground", {"image": IMAGE, "phrases": ["the cow", "the thing that stands on the left of it"]}),
    "audio labels": ("/audio/labels", {"audio": LONG, "top_k": 5}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_every_endpoint_answers_as_with_the_embedded_engine(
    name: str, through_triton: httpx.Client, client: httpx.Client
) -> None:
    path, body = REQUESTS[name]
    answers = [one.post(path, json=body) for one in (through_triton, client)]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    theirs, ours = (answer.json() for answer in answers)
    compare(theirs, ours)


def compare(one: Any, other: Any) -> None:
    """Equal in all but the last digits of numbers."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            compare(one[key], other[key])
    elif isinstance(one, list) and one and isinstance(one[0], float):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    elif isinstance(one, list):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            compare(left, right)
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-5, rel=1e-5)
    else:
        assert one == other


def test_info_names_the_engine(through_triton: httpx.Client) -> None:
    answer = through_triton.get("/info").json()
    assert (answer["engine"], answer["device"]) == ("triton", "triton")


async def test_batches_form_and_every_caller_gets_its_own_answer(
    gateway: LiveServer, triton: WheelServer, server: LiveServer
) -> None:
    texts = [f"text number {number} " + "with more words " * (number % 9) for number in range(300)]
    before = counts(triton)
    async with httpx.AsyncClient(
        base_url=gateway.url, timeout=60.0, limits=httpx.Limits(max_connections=100)
    ) as asking:
        answers = await asyncio.gather(*(asking.post("/embed", json={"inputs": [{"text": text}]}) for text in texts))
    assert {answer.status_code for answer in answers} == {200}
    inferences, executions = (now - then for now, then in zip(counts(triton), before, strict=True))
    assert inferences >= len(texts)
    assert executions < inferences, "Triton ran the rows one by one"
    vectors = np.array([answer.json()["data"][0]["embedding"] for answer in answers])
    async with httpx.AsyncClient(base_url=server.url, timeout=60.0) as asking:
        for start in range(0, len(texts), 100):
            body = {"inputs": [{"text": text} for text in texts[start : start + 100]]}
            alone = [datum["embedding"] for datum in (await asking.post("/embed", json=body)).json()["data"]]
            np.testing.assert_allclose(vectors[start : start + 100], alone, atol=1e-5)


def counts(triton: WheelServer) -> tuple[int, int]:
    """Rows and calls of the model `text`, from Triton's own statistics."""
    with triton.client() as asking:
        stats = asking.get_inference_statistics("text").model_stats[0]
    return stats.inference_count, stats.execution_count


async def test_triton_merges_the_batches_of_three_gateways(triton: WheelServer, gateway: LiveServer) -> None:
    with ExitStack() as stack:
        gateways = [
            gateway,
            *(stack.enter_context(live_server(REPOSITORY, engine="triton", triton_url=triton.url)) for _ in range(2)),
        ]
        before, called_before = counts(triton), sum(map(calls, gateways))
        async with httpx.AsyncClient(timeout=60.0, limits=httpx.Limits(max_connections=90)) as asking:
            answers = await asyncio.gather(
                *(
                    asking.post(
                        gateways[number % 3].url + "/embed", json={"inputs": [{"text": f"a cow and {number} dogs"}]}
                    )
                    for number in range(600)
                )
            )
        assert {answer.status_code for answer in answers} == {200}
        called = sum(map(calls, gateways)) - called_before
    inferences, executions = (now - then for now, then in zip(counts(triton), before, strict=True))
    assert inferences >= 600
    assert executions < called, "every call ran alone"


def calls(gateway: LiveServer) -> int:
    """Calls of the model `text` that a gateway made."""
    name = 'onepeace_engine_calls_total{model="text",outcome="ok"}'
    lines = httpx.get(gateway.url + "/metrics").text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(name))
