"""A lean HTTP/1.1 load generator: keep-alive connections that send the next request when the answer is there."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import uvloop


@dataclass(slots=True)
class Load:
    """What one run saw: seconds of each answered request, and how many were not answered with 200."""

    latencies: list[float] = field(default_factory=list)
    failures: int = 0
    elapsed_s: float = 0.0


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of one answer.

    Raises:
        asyncio.IncompleteReadError: the connection ended before.
    """
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    return head, await reader.readexactly(length)


async def _connection(port: int, requests: Sequence[bytes], until: float, load: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for request in itertools.cycle(requests):
            started = time.perf_counter()
            if started >= until:
                break
            writer.write(request)
            head, _ = await read_answer(reader)
            if b" 200 " in head[:20]:
                load.latencies.append(time.perf_counter() - started)
            else:
                load.failures += 1
    finally:
        writer.close()


async def _run(ports: Sequence[int], requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    load = Load()
    started = time.perf_counter()
    until = started + seconds
    turned = [
        [*requests[turn:], *requests[:turn]] for turn in (number % len(requests) for number in range(connections))
    ]
    await asyncio.gather(
        *(_connection(ports[number % len(ports)], turned[number], until, load) for number in range(connections))
    )
    load.elapsed_s = time.perf_counter() - started
    return load


def run_load(ports: Sequence[int], requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Send requests over and over on `connections` connections, spread over the ports; each starts at another one."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(ports, requests, connections, seconds))
