"""Files and bodies that are small to send and huge to read, and files without sense."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence

import grpc
import httpx

from service.rpc.generated import onepeace_pb2 as pb
from tests.load.experiment import Experiment, Figure, Scale
from tests.load.hostile.bodies import BODIES, Body
from tests.load.hostile.pictures import PICTURES, within_limits
from tests.load.hostile.seeds import Seed, find_seeds
from tests.load.hostile.sounds import SOUNDS
from tests.load.memory import resident_bytes, watch
from tests.load.rpc import embed_method
from tests.load.server import server_apart
from tests.load.ways import PATIENCE_S, Outcome, Sender, Tally, outcome_of, outcome_of_rpc
from tests.service.live_server import LiveServer

BOMBS: dict[Scale, int] = {"full": 1020, "small": 70}
AT_ONCE = 2
SEED = 64
MIB = 1024 * 1024
MOST_GROWTH_MIB = 32
PACKED_BYTES = 64 << 20
Missile = Seed | Body | bytes
"""A file, a body, or a gRPC message that is compressed on its way."""


def make_bombs(count: int) -> Iterator[tuple[str, Missile]]:
    """`count` of them with their names, each kind in turn, always the same."""
    source = random.Random(SEED)
    kinds = len(PICTURES) + len(SOUNDS) + len(BODIES) + 1
    for number in range(count):
        place = number % kinds
        if place < len(PICTURES):
            yield PICTURES[place].__name__, Seed("image", "", PICTURES[place](source))
            continue
        place -= len(PICTURES)
        if place < len(SOUNDS):
            yield SOUNDS[place].__name__, Seed("audio", "", SOUNDS[place](source))
            continue
        place -= len(SOUNDS)
        if place < len(BODIES):
            yield BODIES[place].__name__, BODIES[place](source)
        else:
            yield "packed_message", bytes(PACKED_BYTES)


class Thrower:
    """Throws bombs, files by every way."""

    def __init__(self, http: httpx.AsyncClient, channel: grpc.aio.Channel) -> None:
        self._http, self._embed = http, embed_method(channel)
        self._sender = Sender(http, channel)

    async def throw(self, missile: Missile, number: int) -> tuple[Outcome, float]:
        """The outcome and its seconds."""
        if isinstance(missile, Seed):
            return await self._sender.send(missile.kind, missile.data, number)
        started = time.perf_counter()
        outcome = await (self._post(missile) if isinstance(missile, Body) else self._call(missile))
        return outcome, time.perf_counter() - started

    async def _post(self, body: Body) -> Outcome:
        headers = {"content-type": body.content_type}
        if body.encoding:
            headers["content-encoding"] = body.encoding
        try:
            return outcome_of(await self._http.post(body.path, content=body.data, headers=headers))
        except httpx.TimeoutException:
            return Outcome("no answer in time", fault=True, hung=True)
        except httpx.TransportError as error:
            return Outcome(type(error).__name__, fault=True)

    async def _call(self, data: bytes) -> Outcome:
        request = pb.EmbedRequest(inputs=[pb.Item(image=data)])
        try:
            await self._embed(request, timeout=PATIENCE_S, compression=grpc.Compression.Gzip)
        except grpc.aio.AioRpcError as error:
            return outcome_of_rpc(error)
        return Outcome("200", fault=False)


async def throw_all(server: LiveServer, bombs: Iterator[tuple[str, Missile]], tally: Tally) -> None:
    """`AT_ONCE` at a time."""
    queue = enumerate(bombs)
    async with (
        httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S) as http,
        grpc.aio.insecure_channel(server.grpc_address) as channel,
    ):
        thrower = Thrower(http, channel)

        async def work() -> None:
            for number, (name, missile) in queue:
                outcome, seconds = await thrower.throw(missile, number)
                tally.add(f"{number} {name}", outcome, seconds)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def run(scale: Scale) -> Sequence[Figure]:
    """Good files first, so that all that is loaded once is loaded; then bombs; then the control."""
    warm, tally, control = Tally(), Tally(), Tally()
    good = [(seed.form, seed) for seed in find_seeds()]
    bombs = list(make_bombs(BOMBS[scale])) if scale == "small" else make_bombs(BOMBS[scale])
    with server_apart() as server:
        pid = server.process.pid
        asyncio.run(throw_all(server, iter(good * 4), warm))
        before = resident_bytes(pid)
        with watch(pid) as under_bombs:
            asyncio.run(throw_all(server, iter(bombs), tally))
        after = resident_bytes(pid)
        with watch(pid) as under_control:
            asyncio.run(throw_all(server, iter([("control", Seed("image", "PNG", within_limits()))]), control))
        ready = httpx.get(server.url + "/health/ready").status_code
    return [
        Figure("bombs and malformed bodies", tally.said.total(), at_least=BOMBS[scale]),
        Figure("… refused (4xx)", tally.said.total() - tally.count("200") - len(tally.faulty)),
        Figure("… answered, as what is in them is small", tally.count("200")),
        Figure("5xx, INTERNAL and their like, lost connections", len(tally.faulty), at_most=0),
        *(Figure("… ", what) for what in tally.faulty[:10]),
        Figure("hung", tally.hung, at_most=0),
        Figure("slowest answer", tally.slowest_s, "s", at_most=PATIENCE_S),
        Figure("memory before, service and decoders", before / MIB, "MiB"),
        Figure("… growth at its most", (under_bombs.most_bytes - before) / MIB, "MiB", at_most=MOST_GROWTH_MIB),
        Figure("… growth that stayed", (after - before) / MIB, "MiB", at_most=MOST_GROWTH_MIB),
        Figure(
            "a picture of 49 megapixels, which is accepted: growth at its most",
            (under_control.most_bytes - after) / MIB,
            "MiB",
            at_least=MOST_GROWTH_MIB,
            control=True,
        ),
        Figure("… answered", control.count("200"), at_least=1),
        Figure("`/health/ready` afterwards", ready, at_least=200, at_most=200),
    ]


EXPERIMENT = Experiment("bombs", "Decompression bombs and malformed bodies", run)
