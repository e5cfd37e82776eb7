"""Runs scripts with threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import chain, islice
from typing import Any, Protocol, TypeVar

from onepeace_client.errors import ClientClosed
from onepeace_client.script import Effect, Run, Script, Send, Sleep, Work
from onepeace_client.wire import Outgoing, Reply

T = TypeVar("T")


class Transport(Protocol):
    """Carries requests; its threads are the callers'."""

    def send(self, outgoing: Outgoing, timeout_s: float) -> Reply:
        """The reply, or an OnePeaceError."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


class Abandoned(Exception):
    """Another part of the call has failed, so this one is not wanted any more; no caller sees it."""


class SyncDriver:
    """Does what scripts ask for."""

    def __init__(self, transport: Transport, concurrency: int) -> None:
        self._transport, self._concurrency = transport, concurrency
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="onepeace-client")  # makes threads when used
        self._is_closed = False

    def run(self, script: Script[T], stop: threading.Event | None = None) -> T:
        """Run a script to its end; `stop` ends its waits.

        Raises:
            ClientClosed: there are no connections any more.
        """
        if stop is None and self._is_closed:  # what is under way goes on
            raise ClientClosed("the client is closed")
        stop = stop or threading.Event()
        run = Run(script)
        while (effect := run.effect) is not None:
            try:
                value = self._do(effect, stop)
            except BaseException as error:  # noqa: PERF203 (each effect's error is its own)
                run.fail(error)
            else:
                run.give(value)
        return run.result

    def submit(self, script: Script[T], stop: threading.Event) -> Future[T]:
        """Run a script, one that spreads nothing, in a thread of the driver's.

        Raises:
            ClientClosed: there are no threads any more.
        """
        try:
            return self._pool.submit(self.run, script, stop)
        except RuntimeError as error:  # the pool's only one
            raise ClientClosed("the client was closed") from error

    def close(self) -> None:
        """Wait for what is under way, close all connections."""
        self._is_closed = True
        self._pool.shutdown()
        self._transport.close()

    def _do(self, effect: Effect, stop: threading.Event) -> Any:
        if stop.is_set():
            raise Abandoned
        if isinstance(effect, Send):
            return self._transport.send(effect.outgoing, effect.timeout_s)
        if isinstance(effect, Sleep):
            if stop.wait(effect.seconds):
                raise Abandoned
            return None
        if isinstance(effect, Work):
            return effect.work()
        return self._spread(effect.scripts, stop)

    def _spread(self, scripts: Iterator[Script[Any]], stop: threading.Event) -> list[Any]:
        first = list(islice(scripts, 2))
        if len(first) < 2:
            return [self.run(script, stop) for script in first]
        stop = threading.Event()
        futures: list[Future[Any]] = []
        running: set[Future[Any]] = set()
        try:
            for script in chain(first, scripts):
                futures.append(self.submit(script, stop))
                running.add(futures[-1])
                if len(running) >= self._concurrency:
                    running = _finish_one(running)
            while running:
                running = _finish_one(running)
        finally:
            stop.set()
            for future in running:
                future.cancel()
            wait(running)
        return [future.result() for future in futures]


def _finish_one(running: set[Future[Any]]) -> set[Future[Any]]:
    done, rest = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return rest
