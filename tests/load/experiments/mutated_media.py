"""Damaged pictures and sounds of every accepted form, by every way into the service."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import grpc
import httpx

from tests.load.experiment import Experiment, Figure, Scale
from tests.load.hostile.mutation import Mutant, mutate_media
from tests.load.hostile.seeds import find_seeds
from tests.load.server import server_apart
from tests.load.ways import PATIENCE_S, Sender, Tally
from tests.service.live_server import LiveServer

FILES: dict[Scale, int] = {"full": 20_000, "small": 250}
AT_ONCE = 4
SEED = 6


async def send_all(server: LiveServer, mutants: Iterable[Mutant]) -> Tally:
    """`AT_ONCE` at a time."""
    tally, queue = Tally(), enumerate(mutants)
    async with (
        httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S) as http,
        grpc.aio.insecure_channel(server.grpc_address) as channel,
    ):
        sender = Sender(http, channel)

        async def work() -> None:
            for number, mutant in queue:
                outcome, seconds = await sender.send(mutant.kind, mutant.data, number)
                tally.add(f"file {number}, {mutant.form}, {mutant.how}", outcome, seconds)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return tally


def run(scale: Scale) -> Sequence[Figure]:
    """Send them; then see whether a good file is answered."""
    seeds = find_seeds()
    with server_apart() as server:
        tally = asyncio.run(send_all(server, mutate_media(seeds, FILES[scale], SEED)))
        ready = httpx.get(server.url + "/health/ready").status_code
    return [
        Figure("files", tally.said.total(), at_least=FILES[scale]),
        Figure("… made from good ones of so many kinds", len(seeds)),
        Figure("… answered with vectors or boxes", tally.count("200")),
        Figure("… refused (422; 400 in OpenAI's format)", tally.refused()),
        Figure("… of the refused as too slow, too large for the decoder's memory, or crashed", tally.count("decoder")),
        Figure("5xx, INTERNAL and their like, lost connections", len(tally.faulty), at_most=0),
        *(Figure("…", what) for what in tally.faulty[:10]),
        Figure("hung", tally.hung, at_most=0),
        Figure("slowest answer", tally.slowest_s, "s", at_most=PATIENCE_S),
        Figure("`/health/ready` afterwards", ready, at_least=200, at_most=200),
    ]


EXPERIMENT = Experiment("mutated_media", "Damaged pictures and sounds", run)
