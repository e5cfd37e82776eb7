"""A thread of the engine dies, or the whole process: health checks say so, callers are told, a new process serves."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from tests.load.experiment import Experiment, Figure, Scale
from tests.load.server import server_apart
from tests.service.live_server import LiveServer

DEADLINE_MS = 1500
LATE_S: dict[Scale, float] = {"full": 3.0, "small": 10.0}  # a crowded machine
CALLERS = 8
ENDS_S = 10.0
ROW = {"inputs": [{"text": "a cow"}]}
KILL_THREAD_ON_SIGUSR1 = """
import ctypes, signal, threading
def kill_engine_thread(*_):
    thread = next(thread for thread in threading.enumerate() if thread.name.startswith("engine"))
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
signal.signal(signal.SIGUSR1, kill_engine_thread)
"""
"""SystemExit in a thread of the engine while it waits for work: it takes the next batch and ends with it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What callers and health checks saw. `unwell_s`: from the first lost batch to `/health/live` saying 503."""

    statuses: Counter[int]
    slowest_s: float
    unwell_s: float
    live: int
    ready: int
    code: int | None


def after_a_thread_died(scale: Scale) -> Seen:
    """Kill a thread, ask, look at health, end the process as an orchestrator would."""
    short = {"deadline_ms": DEADLINE_MS, "drain_s": 0, "grace_s": 2}
    with server_apart(before=KILL_THREAD_ON_SIGUSR1, harmed=True, **short) as server:
        ask(server)
        server.process.send_signal(signal.SIGUSR1)
        time.sleep(0.2)
        started = time.monotonic()
        with ThreadPoolExecutor(CALLERS) as callers:
            asked = [callers.submit(ask, server) for _ in range(CALLERS)]
            while health(server, "live") == 200 and time.monotonic() - started < LATE_S[scale] + ENDS_S:
                if all(one.done() for one in asked):  # another thread may have had them all
                    asked.append(callers.submit(ask, server))
                time.sleep(0.01)
            unwell_s = time.monotonic() - started
            answers = [one.result() for one in asked]
        live, ready = health(server, "live"), health(server, "ready")
        answers.append(ask(server))
        server.terminate()
        end = time.monotonic() + ENDS_S
        while server.process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        statuses = Counter(status for status, _ in answers)
        return Seen(statuses, max(s for _, s in answers), unwell_s, live, ready, server.process.poll())


def ask(server: LiveServer) -> tuple[int, float]:
    """Status and seconds of one request."""
    started = time.monotonic()
    answer = httpx.post(server.url + "/embed", json=ROW, timeout=60)
    return answer.status_code, time.monotonic() - started


def health(server: LiveServer, kind: str) -> int:
    """The status of a health check."""
    return httpx.get(f"{server.url}/health/{kind}", timeout=10).status_code


def run(scale: Scale) -> Sequence[Figure]:
    """One thread, one process."""
    seen = after_a_thread_died(scale)
    told = seen.statuses[200] + seen.statuses[503] + seen.statuses[504]
    return [
        Figure("thread dead: requests", seen.statuses.total()),
        Figure(
            "… answered by another thread, or told with 503, or 504 at their deadline",
            told,
            at_least=seen.statuses.total(),
        ),
        Figure("… slowest beyond its deadline", seen.slowest_s - DEADLINE_MS / 1000, "s", at_most=LATE_S[scale]),
        Figure("… `/health/live` → 503 after", seen.unwell_s, "s", at_most=LATE_S[scale]),
        Figure("… `/health/live`, `/health/ready` then", f"{seen.live}, {seen.ready}"),
        Figure("… of these 503", (seen.live == 503) + (seen.ready == 503), at_least=2),
        Figure("… SIGTERM ends the process (1: yes)", int(seen.code is not None), at_least=1),
    ]


EXPERIMENT = Experiment("engine_death", "A thread of the engine dies", run)
