"""SIGTERM under load, again and again: callers who never stop must lose nothing that the server took from them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc

from bench.samples import make_samples
from service.rpc.generated import onepeace_pb2 as pb
from tests.load.experiment import Experiment, Figure, Scale
from tests.load.rpc import Embed, embed_method, outcome
from tests.load.server import server_apart
from tests.load.traffic import Connection, get_request, percentile
from tests.service.live_server import LiveServer

CALLERS, RPC_CALLERS = 24, 8
DRAIN_S, GRACE_S, WARM_S = 1.0, 30.0, 0.5
UNSEEN = "CANCELLED: CANCELLED"
TIMES: dict[Scale, int] = {"full": 20, "small": 1}
LATEST_MS: dict[Scale, float | None] = {"full": 100, "small": None}  # on a crowded machine times say nothing
SAMPLES = make_samples()


@dataclass(slots=True)
class Round:
    """What one end of the server looked like from outside.

    `lost`: connections that were taken and ended without an answer, calls that ended so; by their error.
    `unseen`: calls that gRPC itself cancelled because they came while it closed: no code of the service saw them.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    after_signal: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    unseen: int = 0
    unready_s: float = 0.0
    ended_s: float = 0.0
    code: int | None = None


async def one_round(server: LiveServer) -> Round:
    """Load, signal, and callers who go on until they are refused."""
    seen = Round()
    signalled = asyncio.Event()
    async with grpc.aio.insecure_channel(server.grpc_address) as channel:
        callers = [asyncio.create_task(ask_until_refused(server.port, i, seen, signalled)) for i in range(CALLERS)]
        embed = embed_method(channel)
        callers += [asyncio.create_task(call_until_refused(embed, i, seen, signalled)) for i in range(RPC_CALLERS)]
        probe = await Connection.open(server.port)
        while seen.statuses.total() < 2 * CALLERS:
            await asyncio.sleep(0.02)
        await asyncio.sleep(WARM_S)
        server.terminate()
        sent_s = time.perf_counter()
        signalled.set()
        while (await probe.ask(get_request("/health/ready"))).status == 200:
            await asyncio.sleep(0.001)
        seen.unready_s = time.perf_counter() - sent_s
        probe.close()
        await asyncio.gather(*callers)
        while server.process.poll() is None and time.perf_counter() - sent_s < DRAIN_S + GRACE_S:
            await asyncio.sleep(0.01)
    seen.ended_s, seen.code = time.perf_counter() - sent_s, server.process.poll()
    return seen


async def ask_until_refused(port: int, number: int, seen: Round, signalled: asyncio.Event) -> None:
    """One caller: keeps its connection while it may, and comes back until nobody listens."""
    request = SAMPLES[number % len(SAMPLES)].http_request("a")
    while True:
        try:
            connection = await Connection.open(port)
        except ConnectionError:
            return  # nobody listens: never accepted
        try:
            while True:
                answer = await connection.ask(request)
                seen.statuses[answer.status] += 1
                seen.after_signal += signalled.is_set()
                if answer.closes:
                    break
        except (OSError, asyncio.IncompleteReadError) as error:
            seen.lost[type(error).__name__] += 1
        connection.close()


async def call_until_refused(embed: Embed, number: int, seen: Round, signalled: asyncio.Event) -> None:
    """One gRPC caller; all share a connection."""
    request = pb.EmbedRequest(inputs=[pb.Item(text=f"caller {number}"), pb.Item(image=SAMPLES[1].data)])
    while True:
        said = await outcome(embed(request, timeout=GRACE_S))
        if "onnection refused" in said:
            return
        if said == UNSEEN:
            seen.unseen += 1
        elif said == "OK":
            seen.statuses[200] += 1
            seen.after_signal += signalled.is_set()
        else:
            seen.lost[said] += 1


def run(scale: Scale) -> Sequence[Figure]:
    """As many rounds as the scale asks for, each with a server of its own."""
    rounds = []
    for _ in range(TIMES[scale]):
        with server_apart(drain_s=DRAIN_S, grace_s=GRACE_S) as server:
            rounds.append(asyncio.run(one_round(server)))
    lost = sum((one.lost for one in rounds), Counter[str]())
    statuses = sum((one.statuses for one in rounds), Counter[int]())
    return [
        Figure("SIGTERMs", len(rounds)),
        Figure("requests answered with 200", statuses[200], at_least=1),
        Figure("… of these after the signal", sum(one.after_signal for one in rounds), at_least=len(rounds)),
        Figure("answered otherwise", statuses.total() - statuses[200], at_most=0),
        Figure(f"lost or reset {dict(lost) or ''}".strip(), lost.total(), at_most=0),
        Figure("gRPC calls that came while gRPC closed, cancelled unseen", sum(one.unseen for one in rounds)),
        Figure("ready → 503, median", 1000 * percentile([one.unready_s for one in rounds], 0.5), "ms"),
        Figure("… latest", 1000 * max(one.unready_s for one in rounds), "ms", at_most=LATEST_MS[scale]),
        Figure(
            "signal → end of the process, latest", max(one.ended_s for one in rounds), "s", at_most=DRAIN_S + GRACE_S
        ),
        Figure("exit codes other than 0", sum(one.code != 0 for one in rounds), at_most=0),
    ]


EXPERIMENT = Experiment("sigterm", "20 × SIGTERM under load", run)
