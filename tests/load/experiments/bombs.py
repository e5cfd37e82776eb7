"""Files and bodies that are small to send and huge to read, and files without sense."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import grpc
import httpx

from service.rpc.generated import onepeace_pb2 as pb
from tests.load.experiment import Experiment, Figure, Scale
from tests.load.hostile.bodies import BODIES, Body
from tests.load.hostile.pictures import PICTURES, within_limits
from tests.load.hostile.seeds import Kind, Seed, find_seeds
from tests.load.hostile.sounds import SOUNDS, STREAMS
from tests.load.memory import resident_bytes, watch
from tests.load.rpc import embed_method
from tests.load.server import server_apart
from tests.load.ways import PATIENCE_S, Outcome, Sender, Tally, outcome_of, outcome_of_rpc
from tests.service.live_server import LiveServer
from tests.service.media_files import clip

FILES: dict[Scale, int] = {"full": 1008, "small": 48}
BODIES_SENT: dict[Scale, int] = {"full": 300, "small": 20}
STREAMED: dict[Scale, int] = {"full": 60, "small": 6}
WAYS = 6
WARM_UP: dict[Scale, int] = {"full": 4, "small": 1}
AT_ONCE = 2
SEED = 64
MIB = 1024 * 1024
MOST_GROWTH_MIB = 32
MOST_STREAMS_MIB = 2 * 64
"""Two decoders at work; each holds 600 s of sound (37 MiB) before it knows that there is more, and may keep 64 MiB."""
PACKED_BYTES = 16 << 20
Missile = Seed | Body | bytes
"""A file, a body, or a gRPC message that is compressed on its way."""


def make_files(count: int) -> Iterator[tuple[str, Missile]]:
    """`count` pictures and sounds with their names, each kind in turn, always the same."""
    source = random.Random(SEED)
    kinds: list[tuple[Kind, Callable[[random.Random], bytes]]] = [("image", make) for make in PICTURES]
    kinds += [("audio", make) for make in SOUNDS]
    for number in range(count):
        kind, make = kinds[number % len(kinds)]
        yield make.__name__, Seed(kind, "", make(source))


def make_bodies(count: int) -> Iterator[tuple[str, Missile]]:
    """`count` bodies and messages, likewise."""
    source = random.Random(SEED)
    for number in range(count):
        place = number % (len(BODIES) + 1)
        if place == len(BODIES):
            yield "packed_message", bytes(PACKED_BYTES)
        else:
            yield BODIES[place].__name__, BODIES[place](source)


def make_streams(count: int) -> Iterator[tuple[str, Missile]]:
    """Hours of sound that does not tell its length; several of one kind in turn, so that each goes every way."""
    source = random.Random(SEED)
    for number in range(count):
        make = STREAMS[number // WAYS % len(STREAMS)]
        yield make.__name__, Seed("audio", "", make(source))


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


async def throw_all(server: LiveServer, bombs: Iterable[tuple[str, Missile]], tally: Tally) -> None:
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


@dataclass(slots=True)
class Phase:
    """What came of some bombs, and what the service and its decoders held, in bytes: before, at most, afterwards."""

    tally: Tally = field(default_factory=Tally)
    before: int = 0
    most: int = 0
    after: int = 0

    def throw(self, server: LiveServer, bombs: Iterable[tuple[str, Missile]]) -> Phase:
        """Throw them, and look at the memory meanwhile."""
        pid, bombs = server.process.pid, list(bombs)  # made before the clock runs
        self.before = resident_bytes(pid)
        with watch(pid) as seen:
            asyncio.run(throw_all(server, bombs, self.tally))
        self.most, self.after = seen.most_bytes, resident_bytes(pid)
        return self

    def growth(self) -> tuple[float, float]:
        """MiB: at its most, and what stayed."""
        return (self.most - self.before) / MIB, (self.after - self.before) / MIB


def run(scale: Scale) -> Sequence[Figure]:
    """Good files first, so that all that is loaded or kept once is there; then each kind of bomb, and the control."""
    good = [(seed.form, seed) for seed in (*find_seeds(), Seed("audio", "WAV", clip(1, 30.0)))]
    control = [("control", Seed("image", "PNG", within_limits()))]
    with server_apart() as server:
        start = Phase().throw(server, good * WARM_UP[scale])
        files = Phase().throw(server, make_files(FILES[scale]))
        accepted = Phase().throw(server, control)
        bodies = Phase().throw(server, make_bodies(BODIES_SENT[scale]))
        streams = Phase().throw(server, make_streams(STREAMED[scale]))
        ready = httpx.get(server.url + "/health/ready").status_code
    return [
        *outcomes([files.tally, bodies.tally, streams.tally], FILES[scale] + BODIES_SENT[scale] + STREAMED[scale]),
        Figure("memory before, service and decoders", start.after / MIB, "MiB"),
        Figure("files: growth at its most", files.growth()[0], "MiB", at_most=MOST_GROWTH_MIB),
        Figure(
            "a picture of 49 megapixels, which is accepted: growth at its most",
            accepted.growth()[0],
            "MiB",
            at_least=MOST_GROWTH_MIB,
            control=True,
        ),
        Figure("… answered", accepted.tally.count("200"), at_least=1),
        Figure("bodies: growth at its most, of 300,000 JSON values twice", bodies.growth()[0], "MiB", at_most=128),
        Figure("streams of hours: growth at its most", streams.growth()[0], "MiB", at_most=MOST_STREAMS_MIB),
        Figure(
            "files and bodies: growth that stayed",
            files.growth()[1] + bodies.growth()[1],
            "MiB",
            at_most=MOST_GROWTH_MIB,
        ),
        Figure("`/health/ready` afterwards", ready, at_least=200, at_most=200),
    ]


def outcomes(tallies: Sequence[Tally], expected: int) -> list[Figure]:
    """What was answered."""
    faulty = [what for tally in tallies for what in tally.faulty]
    slowest = max(tallies, key=lambda tally: tally.slowest_s)
    return [
        Figure("bombs and malformed bodies", sum(tally.said.total() for tally in tallies), at_least=expected),
        Figure("… refused (4xx)", sum(tally.refused() for tally in tallies)),
        Figure("… answered, as what is in them is small", sum(tally.count("200") for tally in tallies)),
        Figure("5xx, INTERNAL and their like, lost connections", len(faulty), at_most=0),
        *(Figure("…", what) for what in faulty[:10]),
        Figure("hung", sum(tally.hung for tally in tallies), at_most=0),
        Figure(f"slowest answer ({slowest.slowest})", slowest.slowest_s, "s", at_most=PATIENCE_S),
    ]


EXPERIMENT = Experiment("bombs", "Decompression bombs and malformed bodies", run)
