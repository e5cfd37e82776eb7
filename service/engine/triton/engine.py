"""The engine that asks Triton: chooses a server for each batch, tries a second one where that is safe."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from service.engine.observer import BreakerState, EngineObserver
from service.engine.protocol import Array, Batch
from service.engine.triton.addresses import Place, parse_urls, resolve
from service.engine.triton.channel import Channel
from service.engine.triton.credentials import read_credentials
from service.engine.triton.replica import Replica, ReplicaOptions
from service.engine.triton.retry_budget import RetryBudget
from service.errors import EngineUnavailable
from service.repository import ModelFolder, RepositoryError
from service.settings import Settings

logger = logging.getLogger(__name__)

RESOLVE_S = 5.0
"""Seconds between two looks at the names' addresses."""
RESOLVE_SOON_S = 0.5
"""The same while a model has no server that is well: it may have come back under another address."""
TIDY_S = 10.0
"""Seconds between two looks at what a server need not keep any more."""
LEAST_RETRY_S = 0.005
"""With less time than this left, a second attempt is not worth its work."""


class TritonEngine:
    """Runs every model on any number of Triton servers.

    The servers may be away: then `infer` raises EngineUnavailable at once, and `ready` is false until every model
    has answered a canary somewhere.
    """

    pads_to_bucket = True  # Triton merges only rows of equal shape
    gives_up = True
    device = "triton"

    def __init__(self, models: dict[str, ModelFolder], settings: Settings, observer: EngineObserver) -> None:
        self._models, self._settings, self._observer = models, settings, observer
        self._places = parse_urls(settings.triton_url)
        self._credentials = read_credentials(settings)
        self._addresses: dict[Place, set[str]] = {}
        self._servers: dict[str, _Server] = {}
        self._unknown: set[Place] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._budget = RetryBudget()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="triton")
        self._turn = itertools.count()
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look the servers up and ask each for each model; those that are away are waited for in the background.

        Raises:
            RepositoryError: a server serves another model than our repository; both sides are named.
        """
        await self._follow_once()
        replicas = [replica for server in self._servers.values() for replica in server.replicas.values()]
        await asyncio.gather(*(replica.probe() for replica in replicas))
        if wrong := [replica for replica in replicas if replica.mismatch is not None]:
            lines = (f"Triton at {one.channel.address}: model '{one.model.name}': {one.mismatch}" for one in wrong)
            raise RepositoryError("Triton serves other models than the repository.\n" + "\n".join(lines))
        for server in self._servers.values():
            server.watch()
        self._following = asyncio.create_task(self._follow())
        if missing := [name for name in self._models if not self._choices(name)]:
            logger.warning("no Triton answers yet for %s: waiting", ", ".join(missing))

    def ready(self) -> bool:
        """Whether every model has a server that answered its last canary or call."""
        return all(self._choices(name) for name in self._models)

    def alive(self) -> bool:
        """Always: what may be away runs elsewhere, and is looked for until it is back."""
        return True

    def slots(self, model: ModelFolder) -> int:  # noqa: ARG002 (the protocol's signature)
        """Enough that Triton always has the next batches at hand, and can merge those of several gateways."""
        return self._settings.triton_calls

    async def infer(self, model: str, batch: Batch) -> Array:
        """Run one batch on the server with the fewest calls under way; see `Engine.infer`.

        An attempt that did not reach a working server is made once more on another one, within the deadline and the
        budget. Full queues and deadlines are not tried again: that would feed an overload.
        """
        self._budget.call_started()
        first = self._choose(model)
        if first is None:
            raise EngineUnavailable(f"no server answers for the model '{model}'")
        try:
            return await first.infer(batch, self._until_s(batch))
        except EngineUnavailable:
            second = self._choose(model)
            left_s = self._until_s(batch) - asyncio.get_running_loop().time()
            if second is None or left_s < LEAST_RETRY_S or not self._budget.take():
                raise
        self._observer.call_retried(model)
        return await second.infer(batch, self._until_s(batch))

    async def close(self) -> None:
        """Close all connections."""
        if self._following is not None:
            await _end([self._following])
        await asyncio.gather(*(server.close(0.0) for server in self._servers.values()), *self._leaving)
        self._servers.clear()
        self._pool.shutdown(wait=False)

    def _choices(self, model: str) -> list[Replica]:
        return [server.replicas[model] for server in self._servers.values() if server.replicas[model].breaker.closed]

    def _choose(self, model: str) -> Replica | None:
        choices = self._choices(model)
        if not choices:
            return None
        start = next(self._turn)  # servers that are equally busy take turns
        turned = (choices[(start + place) % len(choices)] for place in range(len(choices)))
        return min(turned, key=lambda replica: replica.in_flight)

    def _until_s(self, batch: Batch) -> float:
        """The event loop's time at which an attempt is given up; no call is without one."""
        latest_s = asyncio.get_running_loop().time() + self._settings.deadline_ms / 1000
        return min(batch.deadline_s, latest_s)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(RESOLVE_S if self.ready() else RESOLVE_SOON_S)
            try:
                known = set(self._servers)
                await self._follow_once()
                for address in self._servers.keys() - known:
                    self._servers[address].watch()
            except Exception:  # else servers that come later would never be found
                logger.exception("could not follow Triton's addresses")

    async def _follow_once(self) -> None:
        """Take up new addresses and let go of those that the names no longer give."""
        for place in self._places:
            try:
                self._addresses[place] = await resolve(place)
                self._unknown.discard(place)
            except OSError as error:  # better the servers of the last look than none
                if place not in self._unknown:
                    logger.warning("Triton's name '%s' can't be looked up: %s", place[0], error)
                self._unknown.add(place)
        wanted = set().union(*self._addresses.values())
        for address in wanted - self._servers.keys():
            options = ReplicaOptions(self._settings.triton_probe_timeout_ms / 1000, self._observer)
            self._servers[address] = _Server(self._channel(address), self._models, options)
        for address in self._servers.keys() - wanted:
            leaving = asyncio.create_task(self._servers.pop(address).close(self._settings.deadline_ms / 1000))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    def _channel(self, address: str) -> Channel:
        return Channel(
            address,
            self._pool,
            shares_memory=self._settings.triton_shared_memory,
            credentials=self._credentials,
            host=next(host for (host, _), addresses in self._addresses.items() if address in addresses),
        )


class _Server:
    """One address: its connection and its models."""

    def __init__(self, channel: Channel, models: dict[str, ModelFolder], options: ReplicaOptions) -> None:
        self.channel = channel
        self.replicas = {name: Replica(model, channel, options) for name, model in models.items()}
        self._tasks = [asyncio.create_task(self._watch_connection())]

    def watch(self) -> None:
        """Begin to look after the models."""
        jobs: list[Coroutine[Any, Any, None]] = [replica.watch() for replica in self.replicas.values()]
        self._tasks += [asyncio.create_task(job) for job in (self._tidy(), *jobs)]

    async def close(self, patience_s: float) -> None:
        """Let calls under way end for some seconds, end the others as EngineUnavailable, close the connection."""
        for replica in self.replicas.values():
            replica.retire()
        try:
            async with asyncio.timeout(patience_s):  # canaries go on, so that a sick server is left sooner
                await self._drain()
        except TimeoutError:
            for replica in self.replicas.values():
                replica.cut_calls()
            await self._drain()
        await _end(self._tasks)
        await self.channel.close()

    async def _drain(self) -> None:
        for replica in self.replicas.values():
            await replica.drain()

    async def _watch_connection(self) -> None:
        while True:
            await self.channel.connected()
            await self.channel.lost()
            self.channel.connection_lost()
            for replica in self.replicas.values():
                if replica.breaker.state is not BreakerState.OPEN:
                    replica.lost("the connection was lost")

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_S)
            await self.channel.tidy()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
