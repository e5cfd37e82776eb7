"""An hour of mixed traffic, good and bad: memory and descriptors must stay where they are."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc
import numpy as np

from bench.samples import make_samples
from service.rpc.generated import onepeace_pb2 as pb
from tests.load.experiment import Experiment, Figure, Scale
from tests.load.rpc import Embed, embed_method, outcome
from tests.load.server import open_descriptors, resident_bytes, server_apart
from tests.load.traffic import Connection
from tests.service.live_server import LiveServer

MIB = 1024 * 1024
EXPECTED = "as expected"
SAMPLES = make_samples()
MOST_AT_ONCE = 64
REST_S = 10.0
BAD = [
    b'POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"inputs"',
    b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi",
]


@dataclass(frozen=True, slots=True)
class Size:
    """`settle_s` is left out of the slope: buffers and threads are made at first use. `rate`: requests a second."""

    seconds: float
    settle_s: float
    every_s: float
    rate: float
    growth_mib: float
    slope_mib: float | None  # an hour; of seconds it says nothing


SIZES: dict[Scale, Size] = {"full": Size(3600, 600, 5, 10, 16, 8), "small": Size(4, 2, 0.2, 100, 64, None)}


@dataclass(slots=True)
class Watch:
    """Samples of the server's memory, bytes, and descriptors, by seconds."""

    at_s: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def look(self, server: LiveServer, now_s: float) -> None:
        """Take one."""
        self.at_s.append(now_s)
        self.memory.append(resident_bytes(server))
        self.descriptors.append(open_descriptors(server))

    def slope_mib_per_hour(self, from_s: float) -> float:
        """Least squares over the samples from `from_s` on."""
        late = [index for index, second in enumerate(self.at_s) if second >= from_s]
        slope, _ = np.polyfit([self.at_s[i] for i in late], [self.memory[i] / MIB for i in late], 1)
        return float(slope) * 3600


@dataclass(slots=True)
class Traffic:
    """Everything that callers do, good and bad, each way in turn; what came of each in `seen`."""

    port: int
    embed: Embed
    seen: Counter[str] = field(default_factory=Counter)

    async def one(self, number: int) -> None:
        """The `number`-th request, on a connection of its own."""
        ways = [self._good, self._rpc, self._bad, self._leave, self._good, self._bad_rpc]
        self.seen[await ways[number % len(ways)](number)] += 1

    async def _good(self, number: int) -> str:
        return await self._ask(SAMPLES[number % len(SAMPLES)].http_request("a"), "200")

    async def _bad(self, number: int) -> str:
        return await self._ask(BAD[number % len(BAD)], "4")

    async def _ask(self, request: bytes, wanted: str) -> str:
        connection = await Connection.open(self.port)
        status = str((await connection.ask(request)).status)
        connection.close()
        return EXPECTED if status.startswith(wanted) else f"{status}, not {wanted}"

    async def _leave(self, number: int) -> str:
        """A caller who goes in the middle of the body, or before the answer."""
        request = SAMPLES[1].http_request("a")
        connection = await Connection.open(self.port)
        connection.writer.write(request[: len(request) // (1 + number // 6 % 2)])
        await asyncio.sleep(0.002 * (number % 5))
        connection.writer.transport.abort()
        return EXPECTED

    async def _rpc(self, number: int) -> str:
        said = await outcome(self.embed(pb.EmbedRequest(inputs=[pb.Item(text=f"text {number}")]), timeout=60))
        return EXPECTED if said == "OK" else said

    async def _bad_rpc(self, number: int) -> str:
        said = await outcome(self.embed(pb.EmbedRequest(inputs=[pb.Item(image=b"not a picture")]), timeout=60))
        return EXPECTED if said.startswith("INVALID_ARGUMENT") else said


async def soak(server: LiveServer, size: Size) -> tuple[Watch, Counter[str], int]:
    """The traffic at its rate; then the descriptors that are open when all callers have gone."""
    watch = Watch()
    watch.look(server, 0)
    async with grpc.aio.insecure_channel(server.grpc_address) as channel:
        traffic = Traffic(server.port, embed_method(channel))
        asking: set[asyncio.Task[None]] = set()
        started, number = time.monotonic(), 0
        while (now := time.monotonic() - started) < size.seconds:
            while number < now * size.rate and len(asking) < MOST_AT_ONCE:
                asking.add(task := asyncio.create_task(traffic.one(number)))
                task.add_done_callback(asking.discard)
                number += 1
            if now > watch.at_s[-1] + size.every_s:
                watch.look(server, now)
            await asyncio.sleep(0.005)
        await asyncio.gather(*asking)
    watch.look(server, time.monotonic() - started)
    return watch, traffic.seen, await descriptors_at_rest(server, watch.descriptors[0])


async def descriptors_at_rest(server: LiveServer, before: int) -> int:
    """Wait for closed connections to be gone."""
    end = time.monotonic() + REST_S
    while (now := open_descriptors(server)) > before and time.monotonic() < end:
        await asyncio.sleep(0.05)
    return now


def run(scale: Scale) -> Sequence[Figure]:
    """The traffic, then what is left when all callers have gone."""
    size = SIZES[scale]
    with server_apart() as server:
        watch, seen, left = asyncio.run(soak(server, size))
    settled = next(index for index, second in enumerate(watch.at_s) if second >= size.settle_s)
    growth = (watch.memory[-1] - watch.memory[settled]) / MIB
    return [
        Figure("length", watch.at_s[-1] / 60, "min"),
        Figure("requests", seen.total(), at_least=1),
        Figure("not answered as expected", seen.total() - seen[EXPECTED], at_most=0),
        Figure("memory at the end", watch.memory[-1] / MIB, "MiB"),
        Figure(f"memory growth after the first {size.settle_s / 60:.3g} min", growth, "MiB", at_most=size.growth_mib),
        Figure("memory slope since then", watch.slope_mib_per_hour(size.settle_s), "MiB/h", at_most=size.slope_mib),
        Figure("open descriptors before any caller", watch.descriptors[0]),
        Figure("… at most", max(watch.descriptors)),
        Figure("… after the last had gone", left, at_most=watch.descriptors[0]),
    ]


EXPERIMENT = Experiment("soak", "1 hour of mixed traffic", run)
