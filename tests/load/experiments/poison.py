"""Pictures and clips on which the engine fails, among a thousand good ones: only their own requests fail."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx
import numpy as np
from PIL import Image

from service.rpc.generated import onepeace_pb2 as pb
from tests.load.experiment import Experiment, Figure, Scale
from tests.load.poison_model import write_poisonable
from tests.load.rpc import embed_method
from tests.load.server import server_apart
from tests.service.live_server import LiveServer
from tests.service.media_files import clip, encode_clip, encoded, picture

REQUESTS: dict[Scale, int] = {"full": 1000, "small": 150}
AT_ONCE = 32
POISON_EVERY = 25
LARGEST_DIFFERENCE = 1e-5
KINDS = ("image", "audio")


def black() -> bytes:
    """A picture on which the engine fails."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG")
    return buffer.getvalue()


POISON = {"image": black(), "audio": encode_clip(np.zeros((16_000, 1)))}
GOOD = {"image": [picture(seed) for seed in range(6)], "audio": [clip(seed, 1.0 + seed / 4) for seed in range(6)]}


@dataclass(slots=True)
class Seen:
    """Outcomes of good and of poisoned requests, and how far good vectors were from those of the same file alone."""

    good: Counter[str] = field(default_factory=Counter)
    poisoned: Counter[str] = field(default_factory=Counter)
    difference: float = 0.0


class Asker:
    """Asks for the vectors of one file, over HTTP or gRPC."""

    def __init__(self, http: httpx.AsyncClient, channel: grpc.aio.Channel) -> None:
        self._http, self._embed = http, embed_method(channel)

    async def ask(self, kind: str, data: bytes, *, rpc: bool) -> tuple[str, np.ndarray | None]:
        """The outcome in a word, and the vector of a good one."""
        if rpc:
            try:
                answer = await self._embed(pb.EmbedRequest(inputs=[pb.Item(**{kind: data})]), timeout=60)
            except grpc.aio.AioRpcError as error:
                return error.code().name, None
            return "OK", np.frombuffer(answer.data[0].vector.float32, "<f4")
        response = await self._http.post("/embed", json={"inputs": [{kind: encoded(data)}]})
        if response.status_code != 200:
            return f"{response.status_code} {response.json()['code']}", None
        return "OK", np.array(response.json()["data"][0]["embedding"], np.float32)


async def embed_all(server: LiveServer, count: int) -> Seen:
    """`count` requests, `AT_ONCE` at a time."""
    seen = Seen()
    limit = asyncio.Semaphore(AT_ONCE)
    async with (
        httpx.AsyncClient(base_url=server.url, timeout=60) as http,
        grpc.aio.insecure_channel(server.grpc_address) as channel,
    ):
        asker = Asker(http, channel)
        alone = {kind: [(await asker.ask(kind, data, rpc=False))[1] for data in GOOD[kind]] for kind in KINDS}

        async def one(number: int) -> None:
            kind, rpc = KINDS[number % 2], number % 3 == 0
            async with limit:
                if number % POISON_EVERY == POISON_EVERY // 2:
                    said, _ = await asker.ask(kind, POISON[kind], rpc=rpc)
                    seen.poisoned[said] += 1
                    return
                which = number % len(GOOD[kind])
                said, vector = await asker.ask(kind, GOOD[kind][which], rpc=rpc)
                seen.good[said] += 1
                if vector is not None:
                    seen.difference = max(seen.difference, float(np.abs(vector - alone[kind][which]).max()))

        await asyncio.gather(*(one(number) for number in range(count)))
    return seen


def run(scale: Scale) -> Sequence[Figure]:
    """Good and poisoned requests together; then whether the server is still well."""
    with tempfile.TemporaryDirectory() as folder:
        write_poisonable(Path(folder))
        with server_apart(Path(folder)) as server:
            seen = asyncio.run(embed_all(server, REQUESTS[scale]))
            ready = httpx.get(server.url + "/health/ready").status_code
            batches = mean_rows(server)
    refused = seen.poisoned["500 engine_failure"] + seen.poisoned["INTERNAL"]
    return [
        Figure("good requests", seen.good.total()),
        Figure("… not answered", seen.good.total() - seen.good["OK"], at_most=0),
        Figure("… largest difference to the same file alone", seen.difference, at_most=LARGEST_DIFFERENCE),
        Figure("poisoned requests", seen.poisoned.total(), at_least=1),
        Figure("… refused with `engine_failure`", refused, at_least=seen.poisoned.total()),
        Figure("rows of an engine call, mean", batches, at_least=1.1),
        Figure("`/health/ready` afterwards", ready, at_least=200, at_most=200),
    ]


def mean_rows(server: LiveServer) -> float:
    """Mean rows of the calls that went well: above 1, or nobody shared a batch with poison."""
    lines = httpx.get(server.url + "/metrics").text.splitlines()

    def total(series: str) -> float:
        return sum(float(line.split()[-1]) for line in lines if line.startswith(series))

    return total("onepeace_batch_size_sum") / total("onepeace_batch_size_count")


EXPERIMENT = Experiment("poison", "Poison among 1,000", run)
