"""Clients that send nearly all of large bodies and then a byte a second: they hold all room, but not for long."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.samples import make_samples
from tests.load.experiment import Experiment, Figure, Scale
from tests.load.server import server_apart
from tests.load.traffic import Answer, Connection

MIB = 1024 * 1024
HEAD = b"POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
UNSENT_BYTES = 1000
PAUSE_S = 0.02
APART_S = 0.2
SERVED, REFUSED = 200, 429
TOO_SLOW = b"HTTP/1.1 408 "


@dataclass(frozen=True, slots=True)
class Size:
    """Limits of the service in MiB, after how long a body has halted, and when there must be room again."""

    body_mib: int
    pending_mib: int
    halt_s: float
    latest_room_s: float


SIZES: dict[Scale, Size] = {"full": Size(32, 512, 10.0, 30.0), "small": Size(2, 8, 1.0, 12.0)}


class Halter:
    """Sends a body but for its last bytes at once, those one a second; `answer` is what came of it."""

    def __init__(self, body_bytes: int) -> None:
        self._body_bytes = body_bytes
        self.answer = b""

    async def begin(self, port: int) -> None:
        """Send what comes at once."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            self._writer.write(HEAD % self._body_bytes + bytes(self._body_bytes - UNSENT_BYTES))
            await self._writer.drain()

    async def crawl(self) -> None:
        """Until it is answered."""
        answered = asyncio.create_task(self._reader.read(MIB))
        with contextlib.suppress(ConnectionError):
            while not (await asyncio.wait([answered], timeout=1.0))[0]:
                self._writer.write(b" ")
            self.answer = await answered
        self._writer.close()


async def experiment(port: int, size: Size) -> list[Figure]:
    """A caller sends a picture again and again until all halters are answered."""
    halters = [Halter(size.body_mib * MIB) for _ in range(size.pending_mib // size.body_mib + 1)]
    request = next(sample for sample in make_samples() if sample.model == "image").http_request("localhost")
    answers: list[Answer] = []
    connection = await Connection.open(port)
    started_s = time.perf_counter()
    crawling = []
    for halter in halters:  # one after the other: of two that find no room at once both would be refused
        await halter.begin(port)
        await asyncio.sleep(APART_S)
        crawling.append(asyncio.create_task(halter.crawl()))
    sending = asyncio.gather(*crawling)
    while not sending.done():
        answers.append(await connection.ask(request))
        await asyncio.sleep(PAUSE_S)
    await sending
    last = await connection.ask(request)
    connection.close()
    statuses = Counter(answer.status for answer in answers)
    halted = sum(halter.answer.startswith(TOO_SLOW) and b"came to a halt" in halter.answer for halter in halters)
    refused_s = [answer.sent_s - started_s for answer in answers if answer.status == REFUSED]
    return [
        Figure("clients", len(halters)),
        Figure("… told that they came to a halt (408)", halted, at_least=len(halters) - 2),
        Figure("others answered", statuses[SERVED], at_least=1),
        Figure("others refused with 429", statuses[REFUSED], at_least=1),
        Figure("others answered otherwise", statuses.total() - statuses[SERVED] - statuses[REFUSED], at_most=0),
        Figure("the last refusal after", max(refused_s, default=0.0), "s", at_most=size.latest_room_s),
        Figure("status of a picture afterwards", last.status, at_least=SERVED, at_most=SERVED),
    ]


def run(scale: Scale) -> Sequence[Figure]:
    """As many of them as fill `max_pending_bytes`, and one more."""
    size = SIZES[scale]
    limits = {"max_body_bytes": size.body_mib * MIB, "max_pending_bytes": size.pending_mib * MIB}
    with server_apart(before=f"import service.body_progress as b; b.WINDOW_S = {size.halt_s}", **limits) as server:
        return asyncio.run(experiment(server.port, size))


EXPERIMENT = Experiment("halted_bodies", "Large bodies that come to a halt", run)
