"""The batcher of one model: never waits while an engine slot is free, otherwise forms batches of like length."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from service.batching.row_queue import BULK_HANDICAP_S, Priority, Row, RowQueue, RowResult
from service.engine.protocol import Array, Batch, Engine, RowInputs
from service.errors import DeadlineExceeded, EngineFailure, QueueFull, ServiceError
from service.repository import ModelFolder
from service.tracing import Attributes, Span

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What one engine call computed. `positions` are token ids or samples; padding is the part nobody sent."""

    model: str
    rows: int
    positions: int
    padding: int
    infer_s: float


class BatchObserver(Protocol):
    """Who wants to know: the metrics."""

    def batch_ran(self, report: BatchReport) -> None:
        """One engine call ended well."""

    def watch_queue(self, model: str, depth: Callable[[], int]) -> None:
        """`depth` tells how many rows wait."""


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """How rows of one model are batched: read from `config.pbtxt`.

    `max_positions` bounds rows × length of a batch, and with it the memory of a call; None: only `max_rows` counts.
    """

    model: str
    max_rows: int
    slots: int
    length_buckets: tuple[int, ...] = ()
    max_positions: int | None = None

    @classmethod
    def of(cls, model: ModelFolder, slots: int) -> BatchPolicy:
        """The policy that the model's own configuration asks for, with `slots` calls at once."""
        return cls(model.name, model.max_batch_size, slots, model.length_buckets, model.max_batch_positions)


class Batcher:
    """Collects rows of one model and runs them on an engine. Lives on one event loop."""

    def __init__(self, engine: Engine, policy: BatchPolicy, *, max_queue: int, observer: BatchObserver) -> None:
        self._engine, self._policy, self._max_queue, self._observer = engine, policy, max_queue, observer
        self._queue = RowQueue(policy.length_buckets)
        self._free_slots = policy.slots
        self._pump_is_due = False
        self._running: dict[asyncio.Task[None], list[Row]] = {}
        observer.watch_queue(policy.model, self._queue.__len__)

    async def submit(
        self,
        rows: Sequence[tuple[RowInputs, int]],
        priority: Priority,
        deadline_s: float = math.inf,
        span: Span | None = None,
    ) -> list[RowResult | EngineFailure]:
        """Run rows (inputs, dynamic length); one result or EngineFailure for each, in order.

        Cancelling the call drops the rows that have not started, and ends an engine call that nobody else waits for
        where the engine can. `deadline_s`, the event loop's time, is handed to the engine. `span` is the request's.

        Raises:
            QueueFull: there is no room for all of them; none was queued.
            Unavailable: the engine can't run any row now.
        """
        if len(self._queue) + len(rows) > self._max_queue:
            raise QueueFull(
                f"the queue of model '{self._policy.model}' is full", limit=self._max_queue, actual=len(self._queue)
            )
        loop = asyncio.get_running_loop()
        now = time.perf_counter()
        rank = now + (BULK_HANDICAP_S if priority is Priority.BULK else 0.0)
        waiting = [
            Row(inputs, length, rank, priority, now, loop.create_future(), deadline_s, span) for inputs, length in rows
        ]
        for row in waiting:
            self._queue.push(row)
        self._schedule_pump(loop)
        try:
            return [await _outcome(row.future) for row in waiting]
        finally:
            for row in waiting:
                self._queue.abandon(row)
                if not row.future.cancel() and not row.future.cancelled():
                    row.future.exception()  # seen, so that nobody complains of an error that was never looked at
            if self._engine.gives_up:
                self._end_abandoned_calls()

    async def drain(self) -> None:
        """Wait for the batches that are running, unless nobody waits for them: a dead engine would never end those."""
        self._end_abandoned_calls()
        while self._running:
            await asyncio.wait(self._running)

    def _schedule_pump(self, loop: asyncio.AbstractEventLoop) -> None:
        # Once for each turn of the loop: rows that arrive in the same turn share a batch at no wait.
        if not self._pump_is_due and self._free_slots:
            self._pump_is_due = True
            loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_is_due = False
        while self._free_slots and (rows := self._take()):
            self._free_slots -= 1
            task = asyncio.get_running_loop().create_task(self._run(rows))
            self._running[task] = rows
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Not at the end of `_run`: a task that is cancelled before its first step never gets there.
        del self._running[task]
        self._free_slots += 1
        self._pump()

    def _end_abandoned_calls(self) -> None:
        for task, rows in self._running.items():
            if all(row.future.done() for row in rows):
                task.cancel()

    def _take(self) -> list[Row]:
        return self._queue.take(self._policy.max_rows, self._policy.max_positions)

    async def _run(self, rows: list[Row]) -> None:
        try:
            try:
                await self._infer(rows)
            except EngineFailure:
                if len(rows) == 1:
                    raise
                logger.warning("a batch of %d rows of model '%s' failed: one by one", len(rows), self._policy.model)
                for row in rows:
                    await self._run_alone(row)
        except Exception as error:
            _fail(rows, error)
        finally:  # whatever ended the task, nobody may wait for it
            _fail(rows, EngineFailure(f"the model '{self._policy.model}' gave no answer"))

    async def _run_alone(self, row: Row) -> None:
        if row.future.done():
            return
        try:
            await self._infer([row])
        except (EngineFailure, DeadlineExceeded, QueueFull) as error:  # this row's own; an engine that is away is not
            _fail([row], error)

    async def _infer(self, rows: list[Row]) -> None:
        length = self._queue.bound(max(row.length for row in rows)) if self._engine.pads_to_bucket else None
        longest = length or max(row.length for row in rows)
        total = longest * len(rows)
        real = sum(row.length for row in rows)
        span = _batch_span(self._policy.model, rows, total - real)
        batch = Batch([row.inputs for row in rows], length, max(row.deadline_s for row in rows), span)
        started = time.perf_counter()
        try:
            outputs = await self._engine.infer(self._policy.model, batch)
        except BaseException as error:
            if span is not None:
                span.end({}, error=error.code if isinstance(error, ServiceError) else type(error).__name__)
            raise
        infer_s = time.perf_counter() - started
        if span is not None:
            span.end({})
        self._deliver(rows, outputs, started, infer_s, span)
        self._observer.batch_ran(BatchReport(self._policy.model, len(rows), total, total - real, infer_s))

    def _deliver(self, rows: list[Row], outputs: Array, started: float, infer_s: float, span: Span | None) -> None:
        finite = [bool(np.isfinite(output).all()) for output in outputs]
        for row, output, good in zip(rows, outputs, finite, strict=True):
            if row.future.done():
                continue
            if good:
                row.future.set_result(RowResult(output, started - row.enqueued_s, infer_s, started, span))
            else:
                row.future.set_exception(EngineFailure(f"the model '{self._policy.model}' gave numbers not finite"))


def _batch_span(model: str, rows: list[Row], padding: int) -> Span | None:
    """A step of the oldest request that is traced, with links to the others; None when none is."""
    spans = list(dict.fromkeys(row.span for row in rows if row.span is not None))
    if not spans:
        return None
    attributes: Attributes = {
        "onepeace.model": model,
        "onepeace.rows": len(rows),
        "onepeace.padding_positions": padding,
    }
    return spans[0].child(f"batch {model}", attributes, spans)


async def _outcome(future: asyncio.Future[RowResult]) -> RowResult | EngineFailure:
    try:
        return await future
    except EngineFailure as error:
        return error


def _fail(rows: list[Row], error: Exception) -> None:
    for row in rows:
        if not row.future.done():
            row.future.set_exception(error)
