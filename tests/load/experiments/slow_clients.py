"""Clients that crawl, idle or reset streams as fast as they can; others, meanwhile, are served as ever."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from service.rpc.generated import onepeace_pb2 as pb
from tests.load import http2
from tests.load.experiment import Experiment, Figure, Scale
from tests.load.rpc import EMBED, embed_method, outcome
from tests.load.server import open_descriptors, resident_bytes, server_apart
from tests.load.traffic import Connection, percentile
from tests.service.live_server import LiveServer

MIB = 1024 * 1024
TEXT = json.dumps({"inputs": [{"text": "a cow"}]}).encode()
LONG = json.dumps({"inputs": [{"text": f"cow {number}"} for number in range(64)]}).encode()
HEAD = b"POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
RESETS_AT_ONCE = 100
MOST_UNDER_RESETS_MS = 1000
BEGIN_S = 60
PAUSE_S = 0.02  # between two requests of the caller who must not be harmed


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each, for how long, and how much slower the median of the others may get.

    A flood of resets takes the one core that the others' calls need, too: those must be answered, if later.
    """

    crawlers: int
    idle: int
    resetters: int
    seconds: float
    most_slowdown: float | None = None


SIZES: dict[Scale, Size] = {"full": Size(300, 1000, 10, 20, 2.0), "small": Size(60, 200, 2, 1.0)}


@dataclass(slots=True)
class Others:
    """What well-behaved callers saw: seconds of each request, and what was not answered as it should."""

    seconds: list[float]
    harmed: list[str]


async def ask_for(server: LiveServer, seconds: float) -> Others:
    """One caller by HTTP and one by gRPC, in turn."""
    others = Others([], [])
    end = time.monotonic() + seconds
    connection = await Connection.open(server.port)
    async with grpc.aio.insecure_channel(
        server.grpc_address, options=[("grpc.use_local_subchannel_pool", 1)]
    ) as channel:
        embed = embed_method(channel)
        while time.monotonic() < end:
            answer = await connection.ask(HEAD % len(TEXT) + TEXT)
            others.seconds.append(answer.seconds)
            if answer.status != 200:
                others.harmed.append(str(answer.status))
            started = time.perf_counter()
            said = await outcome(embed(pb.EmbedRequest(inputs=[pb.Item(text="a cow")]), timeout=30))
            others.seconds.append(time.perf_counter() - started)
            if said != "OK":
                others.harmed.append(said)
            await asyncio.sleep(PAUSE_S)
    connection.close()
    return others


Misbehaviour = Callable[[LiveServer, Size, asyncio.Event], Coroutine[Any, Any, None]]
"""Sets the event when all of it is under way, and goes on until it is cancelled."""


async def crawl(server: LiveServer, size: Size, begun: asyncio.Event) -> None:
    """A third sends its head, a third its body, a third reads its answer, a byte a second."""
    turn, reading = asyncio.Lock(), 0

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reading
        async with turn:  # one by one: so many items at once would be refused for their number
            writer.write(HEAD % len(LONG) + LONG)
            await reader.readexactly(1)
        reading += 1
        if reading == size.crawlers // 3:
            begun.set()
        while await reader.read(1):
            await asyncio.sleep(1)

    async def send(writer: asyncio.StreamWriter, fast: bytes, slow: bytes) -> None:
        writer.write(fast)
        for place in itertools.count():
            writer.write(slow[place : place + 1])
            await asyncio.sleep(1)

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ways = [send(writer, b"", HEAD), send(writer, HEAD % 1000, LONG), read(reader, writer)]
        try:
            await ways.pop(number % 3)
        finally:
            writer.transport.abort()
            for way in ways:
                way.close()

    await asyncio.gather(*(one(number) for number in range(size.crawlers)))


async def idle(server: LiveServer, size: Size, begun: asyncio.Event) -> None:
    """Half of them at each port, never a byte."""
    ports = (server.port, server.grpc_port)
    opened = await asyncio.gather(
        *(asyncio.open_connection("127.0.0.1", ports[number % 2]) for number in range(size.idle))
    )
    begun.set()
    try:
        await asyncio.Event().wait()
    finally:
        for _, writer in opened:
            writer.transport.abort()


class Resetter:
    """Opens streams and resets them until it is thrown out, then comes back; counts what it did."""

    def __init__(self) -> None:
        self.resets = 0
        self.thrown_out = 0

    async def __call__(self, server: LiveServer, size: Size, begun: asyncio.Event) -> None:
        begun.set()
        await asyncio.gather(*(self._one(server) for _ in range(size.resetters)))

    async def _one(self, server: LiveServer) -> None:
        message = pb.EmbedRequest(inputs=[pb.Item(text="never wanted")]).SerializeToString()
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.grpc_port)
            drain = asyncio.create_task(_read_all(reader))
            try:
                writer.write(http2.greeting())
                for number in range(1_000_000):
                    writer.write(http2.call_and_reset(2 * number + 1, EMBED, message))
                    self.resets += 1
                    if number % RESETS_AT_ONCE == 0:
                        await writer.drain()
                        await asyncio.sleep(0)
                    if drain.done():
                        break
            except ConnectionError:
                pass
            finally:
                self.thrown_out += 1
                drain.cancel()
                writer.transport.abort()


async def _read_all(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        while await reader.read(65536):
            pass


@asynccontextmanager
async def under_way(misbehaviour: Misbehaviour, server: LiveServer, size: Size) -> AsyncIterator[None]:
    """It goes on meanwhile."""
    begun = asyncio.Event()
    task = asyncio.create_task(misbehaviour(server, size, begun))
    async with asyncio.timeout(BEGIN_S):
        await begun.wait()
    try:
        yield
        if task.done():
            task.result()  # it must not have ended by itself
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def experiment(server: LiveServer, size: Size) -> list[Figure]:
    """Each misbehaviour by itself, with the same callers before, meanwhile and afterwards."""
    await ask_for(server, size.seconds / 4)
    usual = await ask_for(server, size.seconds / 2)
    usual_ms = 1000 * percentile(usual.seconds, 0.5)
    descriptors, memory = open_descriptors(server), resident_bytes(server)
    most_ms = None if size.most_slowdown is None else size.most_slowdown * usual_ms
    figures = [Figure("others, median before", usual_ms, "ms")]
    resetter = Resetter()
    kinds: list[tuple[str, Misbehaviour, float | None]] = [
        (f"{size.crawlers} clients at 1 byte/s", crawl, most_ms),
        (f"{size.idle} idle connections", idle, most_ms),
        (f"{size.resetters} clients that reset streams", resetter, most_ms and MOST_UNDER_RESETS_MS),
    ]
    for title, misbehaviour, bound_ms in kinds:
        async with under_way(misbehaviour, server, size):
            others = await ask_for(server, size.seconds)
        median_ms = 1000 * percentile(others.seconds, 0.5)
        figures += [
            Figure(f"{title}: others not answered, of {len(others.seconds)}", len(others.harmed), at_most=0),
            Figure("… others, median", median_ms, "ms", at_most=bound_ms),
            Figure("… others, 99th percentile", 1000 * percentile(others.seconds, 0.99), "ms"),
        ]
    figures.append(Figure("… streams opened and reset a second", resetter.resets / size.seconds, at_least=1))
    await asyncio.sleep(1.0)
    after = await ask_for(server, size.seconds / 2)
    return [
        *figures,
        Figure(
            "others, median afterwards",
            1000 * percentile(after.seconds, 0.5),
            "ms",
            at_most=most_ms,
        ),
        Figure("descriptors left behind", open_descriptors(server) - descriptors, at_most=2),
        Figure("memory left behind", (resident_bytes(server) - memory) / MIB, "MiB", at_most=64),
    ]


def run(scale: Scale) -> Sequence[Figure]:
    """All of them against one server."""
    with server_apart() as server:
        return asyncio.run(experiment(server, SIZES[scale]))


EXPERIMENT = Experiment("slow_clients", "Slow, idle and resetting clients", run)
