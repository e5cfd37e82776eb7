"""One model on one server: its calls, its breaker, and the canary that decides whether it is well."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from service.engine.protocol import Array, Batch
from service.engine.triton.breaker import Breaker, BreakerState
from service.engine.triton.channel import Channel
from service.engine.warmup import warmup_row
from service.errors import DeadlineExceeded, EngineFailure, EngineUnavailable, QueueFull, ServiceError
from service.repository import ModelFolder

logger = logging.getLogger(__name__)

FAILURES_TO_DOUBT = 3
"""Failed or late batches in a row after which a canary is sent: rows or load may be to blame, or the server."""
BUSY_LOOK_S = 1.0
IDLE_LOOK_S = 5.0
"""Seconds without an answered call, with and without calls under way, after which a canary is sent."""
NEVER_S = -math.inf
COMPARE_S = 5.0
"""Seconds after which the server's model is compared with ours again: it may have been reloaded as another one."""
OPEN_LOOK_S = (0.1, 0.5)
"""Seconds between the probes of an open breaker: at first, doubled each time, and at most."""


class EngineObserver(Protocol):
    """Who wants to know what becomes of calls: the metrics."""

    def call_ended(self, model: str, outcome: str, seconds: float) -> None:
        """One attempt ended; `outcome` is "ok", "cancelled" or an error's code."""

    def call_retried(self, model: str) -> None:
        """A second attempt is made."""

    def breaker_changed(self, address: str, model: str, state: BreakerState | None) -> None:
        """A breaker has a new state; None when its server is no longer used."""


@dataclass(frozen=True, slots=True)
class ReplicaOptions:
    """`probe_timeout_s`: how long a canary may take."""

    probe_timeout_s: float
    observer: EngineObserver


class Replica:
    """One model on one server."""

    def __init__(self, model: ModelFolder, channel: Channel, options: ReplicaOptions) -> None:
        self.model, self.channel, self._options = model, channel, options
        self.breaker = Breaker(on_change=self._breaker_changed)
        self.mismatch: str | None = None
        options.observer.breaker_changed(channel.address, model.name, self.breaker.state)
        self._calls: set[asyncio.Task[Array]] = set()
        self._cut: set[asyncio.Task[Array]] = set()
        self._failed_batches = 0
        self._failed_probes = 0
        self._answered_s = 0.0
        self._compared_s = NEVER_S
        self._doubt = asyncio.Event()
        self._canary = Batch([warmup_row(model, model.length_buckets[0] if model.length_buckets else 1)])

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        return len(self._calls)

    async def infer(self, batch: Batch, timeout_s: float) -> Array:
        """One attempt, which ends early when a canary finds the server sick.

        Raises:
            EngineFailure, EngineUnavailable, QueueFull, DeadlineExceeded: see `faults.translate`.
        """
        loop = asyncio.get_running_loop()
        started_s = time.perf_counter()  # finer than the loop's clock
        call = loop.create_task(self.channel.infer(self.model.name, batch, timeout_s))
        self._calls.add(call)
        outcome = "cancelled"
        try:
            output = await call
            outcome = "ok"
        except asyncio.CancelledError:
            if call not in self._cut:
                raise
            outcome = EngineUnavailable.code
            raise EngineUnavailable(f"the model '{self.model.name}' can't be reached") from None
        except ServiceError as error:
            outcome = error.code
            self._call_failed(error)
            raise
        finally:
            self._calls.discard(call)
            self._cut.discard(call)
            self._options.observer.call_ended(self.model.name, outcome, time.perf_counter() - started_s)
        self._call_succeeded()
        return output

    async def watch(self) -> None:
        """Look after the model until cancelled: a canary whenever nothing else shows that it is well."""
        while True:
            if self._look_is_due():
                await self.probe()
            try:
                async with asyncio.timeout(self._rest_s()):
                    await self._doubt.wait()
            except TimeoutError:
                pass

    async def probe(self) -> None:
        """Compare the server's model with ours if that is not sure, then send one row; the breaker follows."""
        self._doubt.clear()
        self.breaker.probe_started()
        well = False
        try:
            async with asyncio.timeout(self._options.probe_timeout_s):
                # Compared first: if the connection is lost after that, the answer may be another server's.
                well = await self._is_ours() and await self._answers() and self._compared_s != NEVER_S
        except QueueFull:
            well = True  # busy, so it works
        except (ServiceError, TimeoutError) as error:
            if self.breaker.closed:
                name, address = self.model.name, self.channel.address
                logger.warning("the canary of model '%s' at %s failed: %s", name, address, error or "too late")
        self._failed_batches = 0
        if well:
            self._answered_s = asyncio.get_running_loop().time()
            self._failed_probes = 0
        else:
            self._failed_probes += 1
            self._cut_calls()
        self.breaker.probe_ended(well=well)

    def connection_lost(self) -> None:
        """The server may come back as another one: no new call passes until it has been looked at."""
        self.breaker.open()
        self._doubt.set()

    def retire(self) -> None:
        """The server is no longer used."""
        self._options.observer.breaker_changed(self.channel.address, self.model.name, None)

    def _call_succeeded(self) -> None:
        self._failed_batches = 0
        self._answered_s = asyncio.get_running_loop().time()

    def _call_failed(self, error: ServiceError) -> None:
        if isinstance(error, EngineUnavailable):
            self.connection_lost()
        elif isinstance(error, DeadlineExceeded | EngineFailure):
            self._failed_batches += 1
            if self._failed_batches >= FAILURES_TO_DOUBT:
                self._doubt.set()

    def _look_is_due(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        silent, aged = now_s - self._answered_s >= self._patience_s(), now_s - self._compared_s >= COMPARE_S
        return not self.breaker.closed or self._doubt.is_set() or silent or aged

    def _rest_s(self) -> float:
        first_s, most_s = OPEN_LOOK_S
        return BUSY_LOOK_S if self.breaker.closed else min(most_s, first_s * 2 ** min(8, self._failed_probes))

    def _patience_s(self) -> float:
        return BUSY_LOOK_S if self._calls else IDLE_LOOK_S

    async def _is_ours(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._compared_s < COMPARE_S:
            return True
        found = await self.channel.compare(self.model, self._options.probe_timeout_s)
        mismatch = "; ".join(found) or None
        if mismatch is not None and mismatch != self.mismatch:
            logger.error("Triton at %s serves another '%s': %s", self.channel.address, self.model.name, mismatch)
        self.mismatch = mismatch
        if mismatch is None:
            self._compared_s = now_s
        return mismatch is None

    async def _answers(self) -> bool:
        output = await self.channel.infer(self.model.name, self._canary, self._options.probe_timeout_s)
        return bool(np.isfinite(output).all())

    def _cut_calls(self) -> None:
        """The server is sick: nobody should wait for it until the deadline."""
        self._cut |= self._calls
        for call in self._calls:
            call.cancel()

    def _breaker_changed(self, before: BreakerState, state: BreakerState) -> None:
        name, address = self.model.name, self.channel.address
        self._options.observer.breaker_changed(address, name, state)
        if state is BreakerState.CLOSED:
            logger.info("model '%s' at %s answers", name, address)
        elif state is BreakerState.OPEN:
            self._compared_s = NEVER_S
            if before is BreakerState.CLOSED:
                logger.warning("model '%s' at %s is left alone until a canary is answered", name, address)
