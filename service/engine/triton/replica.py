"""One model on one server: its calls, its breaker, and the canary that decides whether it is well."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass, replace

import numpy as np

from service.engine.observer import BreakerState, EngineObserver
from service.engine.protocol import Array, Batch
from service.engine.triton.breaker import Breaker
from service.engine.triton.channel import Channel
from service.engine.triton.faults import reason
from service.engine.warmup import warmup_row
from service.errors import DeadlineExceeded, EngineFailure, EngineUnavailable, QueueFull, ServiceError
from service.repository import ModelFolder

logger = logging.getLogger(__name__)

FAILURES_TO_DOUBT = 3
"""Failed or late batches in a row after which a canary is sent: rows or load may be to blame, or the server."""
BUSY_LOOK_S = 1.0
"""Seconds without an answered call, while calls are under way, after which a canary is sent."""
IDLE_LOOK_S = 5.0
"""The same while no call is under way."""
COMPARE_S = 5.0
"""Seconds after which the server's model is compared with ours again: it may have been reloaded as another one."""
OPEN_LOOK_S = (0.1, 0.5)
"""Seconds between the probes of an open breaker: at first, doubled each time, and at most."""
WARN_S = 1.0
"""Seconds between two warnings of one model on one server, so that failures don't flood the log."""
CLOCK_S = 0.01
"""How exact the event loop's clock is taken to be."""
RPC = {"rpc.system": "grpc", "rpc.service": "inference.GRPCInferenceService", "rpc.method": "ModelInfer"}
"""Attributes of a call's span, by OpenTelemetry's conventions."""
NEVER_S = -math.inf
"""The time of what has not happened yet."""


@dataclass(frozen=True, slots=True)
class ReplicaOptions:
    """`probe_timeout_s`: how long a canary may take."""

    probe_timeout_s: float
    observer: EngineObserver


class Replica:
    """One model on one server.

    Attributes:
        mismatch: how the server's model differs from ours; None when it does not, or was not looked at yet.
    """

    def __init__(self, model: ModelFolder, channel: Channel, options: ReplicaOptions) -> None:
        self.model, self.channel, self._options = model, channel, options
        self.breaker = Breaker(on_change=self._breaker_changed)
        self.mismatch: str | None = None
        options.observer.breaker_changed(channel.address, model.name, self.breaker.state)
        self._calls: set[asyncio.Task[Array]] = set()
        self._failed_batches = self._failed_probes = 0
        self._answered_s = self._compared_s = NEVER_S
        self._warned_s = NEVER_S
        self._complaint = ""
        self._retired = False
        self._doubt = asyncio.Event()
        self._canary = Batch([warmup_row(model, model.length_buckets[0] if model.length_buckets else 1)])

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        return len(self._calls)

    async def infer(self, batch: Batch, until_s: float) -> Array:
        """One attempt until the event loop's time `until_s`; it ends early when a canary finds the server sick.

        Raises:
            EngineFailure, EngineUnavailable, QueueFull, DeadlineExceeded: see `faults.translate`.
        """
        loop = asyncio.get_running_loop()
        span = None
        if batch.span is not None:
            span = batch.span.child("ModelInfer", {"server.address": self.channel.address, **RPC}, asks=True)
            batch = replace(batch, span=span)
        started_s = time.perf_counter()  # finer than the loop's clock
        call = loop.create_task(self.channel.infer(self.model.name, batch, until_s))
        self._calls.add(call)
        outcome = "cancelled"
        try:
            output = await call
            outcome = "ok"
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():  # the callers have gone, maybe because their time was over
                if loop.time() >= until_s - CLOCK_S:
                    outcome = DeadlineExceeded.code
                    self._call_failed(DeadlineExceeded("nobody waits any more"))
                raise
            outcome = EngineUnavailable.code  # the call was cut, or its channel closed
            raise EngineUnavailable(f"the model '{self.model.name}' can't be reached") from None
        except ServiceError as error:
            outcome = error.code
            self._call_failed(error)
            raise
        finally:
            self._calls.discard(call)
            if span is not None:
                span.end({}, error=None if outcome == "ok" else outcome)
            self._options.observer.call_ended(self.model.name, outcome, time.perf_counter() - started_s)
        self._failed_batches = 0
        self._answered_s = loop.time()
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
        started_s = _now_s()
        self._doubt.clear()
        self.breaker.probe_started()
        complaint = ""
        try:
            async with asyncio.timeout(self._options.probe_timeout_s):
                complaint = await self._complaints()
        except QueueFull as error:  # busy, so it works
            complaint = "" if self._compared_s != NEVER_S else reason(error)
        except (TimeoutError, DeadlineExceeded):
            # A server that answered others meanwhile only has a long queue; one that was not compared may be another.
            if self._answered_s < started_s or self._compared_s == NEVER_S:
                complaint = f"no answer within {self._options.probe_timeout_s} s"
        except ServiceError as error:
            complaint = reason(error)
        except Exception as error:  # a watch that died of something unforeseen would leave the server out for ever
            complaint = repr(error)
            if complaint != self._complaint:
                logger.exception("the canary of model '%s' at %s", self.model.name, self.channel.address)
        self._probe_ended(complaint)

    def lost(self, why: str) -> None:
        """The server may come back as another one: no new call passes until it has been looked at."""
        if self.breaker.closed:
            self._warn_of_loss(why)
        self.breaker.open()
        self._doubt.set()

    async def drain(self) -> None:
        """Wait until no call is under way."""
        while self._calls:
            await asyncio.wait(self._calls)

    def cut_calls(self) -> None:
        """End the calls under way as EngineUnavailable: nobody should wait for a sick server until the deadline."""
        for call in self._calls:
            call.cancel()

    def retire(self) -> None:
        """The server is no longer used for new calls; what becomes of it is no longer reported."""
        self._retired = True
        self._options.observer.breaker_changed(self.channel.address, self.model.name, None)

    def _probe_ended(self, complaint: str) -> None:
        self._failed_batches = 0
        if complaint:
            self._failed_probes += 1
            self.cut_calls()
            if self.breaker.closed:
                self._warn_of_loss(complaint)
            elif complaint != self._complaint:
                self._warn(complaint)
        else:
            self._failed_probes = 0
            self._answered_s = _now_s()
        self._complaint = complaint
        self.breaker.probe_ended(well=not complaint)

    def _call_failed(self, error: ServiceError) -> None:
        if isinstance(error, EngineUnavailable):
            self.lost(reason(error))
        elif isinstance(error, DeadlineExceeded | EngineFailure):
            self._failed_batches += 1
            if self._failed_batches >= FAILURES_TO_DOUBT:
                self._doubt.set()
        if isinstance(error, EngineFailure):
            self._warn(f"a batch failed: {reason(error)}")

    def _look_is_due(self) -> bool:
        silent = _now_s() - self._answered_s >= (BUSY_LOOK_S if self._calls else IDLE_LOOK_S)
        return not self.breaker.closed or self._doubt.is_set() or silent or self._is_aged()

    def _rest_s(self) -> float:
        first_s, most_s = OPEN_LOOK_S
        return BUSY_LOOK_S if self.breaker.closed else min(most_s, first_s * 2 ** min(8, self._failed_probes))

    def _is_aged(self) -> bool:
        return _now_s() - self._compared_s >= COMPARE_S

    async def _complaints(self) -> str:
        """What is wrong with the server; empty when nothing is.

        The comparison comes first: if the connection is lost after it, the answer may be another server's.
        """
        until_s = _now_s() + self._options.probe_timeout_s
        if self._is_aged():
            compared_s = _now_s()
            found = await self.channel.compare(self.model, self._options.probe_timeout_s)
            self.mismatch = "; ".join(found) or None
            if self.mismatch is not None:
                return f"is another model than in our repository: {self.mismatch}"
            self._compared_s = compared_s
        output = await self.channel.infer(self.model.name, self._canary, until_s)
        if not np.isfinite(output).all():
            return "gave numbers that are not finite"
        return "the connection was lost" if self._compared_s == NEVER_S else ""

    def _warn_of_loss(self, why: str) -> None:
        name, address = self.model.name, self.channel.address
        logger.warning("model '%s' at %s is left alone until a canary is answered: %s", name, address, why)

    def _warn(self, text: str) -> None:
        """Log, unless something was said of this server a moment ago."""
        if _now_s() - self._warned_s >= WARN_S:
            self._warned_s = _now_s()
            logger.warning("model '%s' at %s: %s", self.model.name, self.channel.address, text)

    def _breaker_changed(self, state: BreakerState) -> None:
        name, address = self.model.name, self.channel.address
        if not self._retired:
            self._options.observer.breaker_changed(address, name, state)
        if state is BreakerState.CLOSED:
            logger.info("model '%s' at %s answers", name, address)
        elif state is BreakerState.OPEN:
            self._compared_s = NEVER_S


def _now_s() -> float:
    return asyncio.get_running_loop().time()
