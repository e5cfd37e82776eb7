"""Three times as many pictures as the service can embed: it answers as many as ever, and refuses the rest at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import uvloop

from bench.load import run_load
from bench.samples import make_samples
from tests.load.experiment import Experiment, Figure, Scale
from tests.load.server import server_apart
from tests.load.traffic import Answer, Connection, Crowd, percentile

FACTOR = 3
MAX_WAIT_MS = 3000
CONNECTIONS = 64
SERVED, REFUSED = 200, 429
LATITUDE_S = 0.02
"""How much more than twice the usual latency still counts as usual."""


@dataclass(frozen=True, slots=True)
class Size:
    """Lengths of the phases, how often they come, and bounds."""

    max_queue: int
    rounds: int
    peak_s: float
    overload_s: float
    least_offered: float | None = None
    least_goodput: float | None = None
    latest_refusal_ms: float | None = None
    latest_recovery_s: float | None = None


SIZES: dict[Scale, Size] = {
    "full": Size(1024, 5, 15.0, 60.0, 0.9 * FACTOR, 0.9, 50.0, 5.0),
    "small": Size(72, 1, 1.0, 3.0),  # on a crowded machine times say nothing
}


@dataclass(frozen=True, slots=True)
class Rush:
    """What came of it: `ended_s` is when the last request was offered, by the clock of `Answer`."""

    answers: Sequence[Answer]
    lost: int
    offered: float
    started_s: float
    ended_s: float
    recovery_s: float

    def goodput(self) -> float:
        """Pictures embedded a second while the rush lasted."""
        served = [answer for answer in self.answers if answer.status == SERVED]
        in_time = sum(answer.sent_s + answer.seconds <= self.ended_s for answer in served)
        return in_time / (self.ended_s - self.started_s)


def run(scale: Scale) -> Sequence[Figure]:
    """Peak, overload, recovery, peak again; several times, because the machine is not always equally fast."""
    size = SIZES[scale]
    (image,) = [sample for sample in make_samples() if sample.model == "image"]
    request = image.http_request("localhost")
    with (
        server_apart(max_queue=size.max_queue, max_items=64, max_wait_ms=MAX_WAIT_MS) as server,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):

        def peak(seconds: float) -> float:
            load = run_load([server.port], [request], CONNECTIONS, seconds)
            return len(load.latencies) / load.elapsed_s

        peak(size.peak_s / 5)
        peaks, rushes = [peak(size.peak_s)], list[Rush]()
        usual_s = runner.run(usual_latency(server.port, request))
        for _ in range(size.rounds):
            rushes.append(runner.run(overload(server.port, request, FACTOR * peaks[-1], size.overload_s, usual_s)))
            peaks.append(peak(size.peak_s))
    return figures(size, peaks, rushes, usual_s)


def figures(size: Size, peaks: Sequence[float], rushes: Sequence[Rush], usual_s: float) -> Sequence[Figure]:
    """What is written down; each rush has a peak before and one after it."""
    around = list(pairwise(peaks))
    goodputs = [2 * rush.goodput() / sum(both) for rush, both in zip(rushes, around, strict=True)]
    offered = min(rush.offered / before for rush, (before, _) in zip(rushes, around, strict=True))
    answers = [answer for rush in rushes for answer in rush.answers]
    refused = [answer for answer in answers if answer.status == REFUSED]
    served_s = [answer.seconds for answer in answers if answer.status == SERVED]
    refused_ms = [1000 * answer.seconds for answer in refused]
    return [
        Figure("rounds", len(rushes)),
        Figure("peaks before and after each, 64 callers who wait", ", ".join(f"{peak:.0f}" for peak in peaks), "/s"),
        Figure("offered ÷ peak before, least", offered, at_least=size.least_offered),
        Figure("goodput ÷ mean of the peaks around it", ", ".join(f"{goodput:.2f}" for goodput in goodputs)),
        Figure("… median", median(goodputs), at_least=size.least_goodput),
        Figure("served, median", percentile(served_s, 0.5), "s"),
        Figure("refused with 429", len(refused), at_least=1),
        Figure("… without Retry-After", sum(not answer.retry_after for answer in refused), at_most=0),
        Figure("… median", percentile(refused_ms, 0.5), "ms"),
        Figure("… 99th percentile", percentile(refused_ms, 0.99), "ms", at_most=size.latest_refusal_ms),
        Figure("other statuses", sum(answer.status not in {SERVED, REFUSED} for answer in answers), at_most=0),
        Figure("connections lost", sum(rush.lost for rush in rushes), at_most=0),
        Figure("a lone picture before, median", usual_s * 1000, "ms"),
        Figure("as fast again after, latest", max(rush.recovery_s for rush in rushes), "s",
               at_most=size.latest_recovery_s),
    ]  # fmt: skip


async def usual_latency(port: int, request: bytes) -> float:
    """Median seconds of a lone request."""
    connection = await Connection.open(port)
    answers = [await connection.ask(request) for _ in range(30)]
    connection.close()
    return percentile([answer.seconds for answer in answers], 0.5)


async def overload(port: int, request: bytes, rate: float, seconds: float, usual_s: float) -> Rush:
    """Offer, then look how long a newcomer still has to wait."""
    crowd = Crowd(port, [request])
    started_s = time.perf_counter()
    offered = await crowd.come(rate, seconds)
    ended_s = time.perf_counter()
    recovery_s = await until_usual(port, request, usual_s) - ended_s
    await crowd.leave()
    return Rush(crowd.answers, crowd.lost, offered, started_s, ended_s, recovery_s)


async def until_usual(port: int, request: bytes, usual_s: float) -> float:
    """The time at which the first of three requests was sent that are as fast as usual."""
    connection = await Connection.open(port)
    quick: list[Answer] = []
    while len(quick) < 3:
        answer = await connection.ask(request)
        as_usual = answer.status == SERVED and answer.seconds < 2 * usual_s + LATITUDE_S
        quick = [*quick, answer] if as_usual else []
        await asyncio.sleep(0.02)
    connection.close()
    return quick[0].sent_s


EXPERIMENT = Experiment("overload", "3 × capacity for 60 s, five times", run)
