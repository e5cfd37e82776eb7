"""Decoding in processes: a queue in front of workers that are replaced when they end."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from service.decoding.confinement import WorkerLimits
from service.decoding.ends import TemplateEnded, WorkerEnded
from service.decoding.orders import Order
from service.decoding.template_process import TemplateProcess
from service.decoding.worker_process import WorkerProcess
from service.errors import (
    DecoderCrashed,
    DecoderOutOfMemory,
    DecodersUnavailable,
    DecoderTimeout,
    Draining,
    InputError,
    NotReady,
    QueueFull,
    ServiceError,
)

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
Observer = Callable[[str], None]
"""Hears the reason of each end that a worker was replaced for: crashed, timeout, abandoned, memory, lost."""
ABANDONED_S = 1.0
"""An order that nobody needs any more may take so much longer before its worker is ended: most files take less, and a
worker that lives on costs nothing."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
"""Between attempts to start processes that fail: it doubles from one to the other. Workers that end at a file are
replaced at once: bad files must not hold up the good ones."""


@dataclass(frozen=True, slots=True)
class PoolPolicy:
    """How many workers, how many orders may wait for them, seconds for one file, and memory for one worker."""

    workers: int
    max_queue: int
    timeout_s: float
    memory_bytes: int

    def worker_limits(self) -> WorkerLimits:
        """Processor time is a second net: the clock ends a file first, unless this process is stuck itself."""
        return WorkerLimits(self.memory_bytes, self.timeout_s)


@dataclass(eq=False, slots=True)
class _Job:
    order: Order[Any]
    future: asyncio.Future[Any]
    worker: WorkerProcess | None = None
    was_lost: bool = False
    """A worker had read it and was lost."""


class ProcessDecoders:
    """As `Decoders`. A file at which its worker crashes, hangs or runs out of memory fails alone.

    `copies` are threads in which large files are copied.
    """

    def __init__(self, policy: PoolPolicy, copies: Executor, observer: Observer) -> None:
        self._policy, self._copies, self._observer = policy, copies, observer
        self._waiting: deque[_Job] = deque()
        self._workers: set[WorkerProcess] = set()
        self._idle: list[WorkerProcess] = []
        self._running: dict[WorkerProcess, asyncio.Task[None]] = {}
        self._template: TemplateProcess | None = None
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._failures = 0
        self._closed = False

    async def start(self) -> None:
        """As `Decoders.start`: all workers are there."""
        try:
            await self._complete()
        except (TemplateEnded, OSError) as error:
            raise NotReady(f"the decoding processes could not be started: {error}") from error
        self._keeper = asyncio.create_task(self._keep_complete())

    def ready(self) -> bool:
        """As `Decoders.ready`."""
        return self._keeper is not None and not self._failures

    def submit(self, order: Order[Result]) -> asyncio.Future[Result | InputError]:
        """As `Decoders.submit`."""
        if len(self._waiting) >= self._policy.max_queue:
            raise QueueFull("too many files wait to be decoded", limit=self._policy.max_queue)
        job = _Job(order, asyncio.get_running_loop().create_future())
        job.future.add_done_callback(lambda future: self._abandon(job) if future.cancelled() else None)
        self._waiting.append(job)
        self._assign()
        return job.future

    async def close(self) -> None:
        """As `Decoders.close`."""
        self._closed = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._template is not None:
            await self._template.close()
        await asyncio.gather(*self._running.values())  # their workers have ended, so they do
        for worker in self._workers:
            worker.close()
        for job in [*self._waiting]:
            job.future.cancel()

    def _assign(self) -> None:
        while self._idle and self._waiting and not self._closed:
            job, worker = self._waiting.popleft(), self._idle.pop()
            job.worker = worker
            self._running[worker] = asyncio.create_task(self._serve(job, worker))

    async def _serve(self, job: _Job, worker: WorkerProcess) -> None:
        """One order on one worker, which is idle again afterwards, or on its way out."""
        try:
            self._answer(job, await worker.run(job.order, self._policy.timeout_s))
        except InputError as error:
            self._answer(job, error)
        except WorkerEnded as end:
            if end.has_read and end.reason != "lost":
                self._answer(job, self._verdict(job.order, end))
            else:
                self._try_again(job, end)
        except Exception as error:  # a bug; the request that met it tells
            if not job.future.done():
                job.future.set_exception(error)
        job.worker = None
        del self._running[worker]
        if worker.ended.done():
            self._bury(worker)
        elif worker.reason is None:
            self._idle.append(worker)
        self._assign()

    def _answer(self, job: _Job, outcome: object) -> None:
        if isinstance(outcome, DecoderOutOfMemory) and job.worker is not None:
            job.worker.kill("memory")
        if not job.future.done():
            job.future.set_result(outcome)

    def _try_again(self, job: _Job, end: WorkerEnded) -> None:
        """Not this file's fault, as far as anybody knows: another worker takes it, but only once if one had read it."""
        if job.future.done():
            return
        error: ServiceError
        if self._closed:
            error = Draining("the service is stopping")
        elif end.has_read and job.was_lost:
            error = DecodersUnavailable("the decoding processes ended twice while they had this file")
        else:
            job.was_lost = job.was_lost or end.has_read
            self._waiting.appendleft(job)
            return
        job.future.set_exception(error)
        job.future.exception()  # somebody may wait for it no longer

    def _verdict(self, order: Order[Any], end: WorkerEnded) -> InputError:
        if end.reason == "timeout":
            limit_ms = round(self._policy.timeout_s * 1000)
            return DecoderTimeout(f"decoding took longer than {limit_ms} ms", limit=limit_ms)
        if end.reason == "crashed":
            logger.warning("a decoder ended by %s at an order '%s'", end.how, order.kind)
        return DecoderCrashed("the decoder crashed on this file")

    def _abandon(self, job: _Job) -> None:
        """Nobody needs this order's result any more."""
        worker = job.worker
        if worker is None:
            with suppress(ValueError):
                self._waiting.remove(job)
            return
        asyncio.get_running_loop().call_later(
            ABANDONED_S, lambda: worker.kill("abandoned") if job.worker is worker else None
        )

    def _bury(self, worker: WorkerProcess) -> None:
        """A worker has ended; one that still has an order is looked after by `_serve`."""
        if worker in self._running or worker not in self._workers or self._closed:
            return
        self._workers.remove(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        worker.close()
        self._observer(worker.reason or "lost")
        self._changed.set()

    def _ended(self, worker: WorkerProcess, _: object) -> None:
        self._bury(worker)

    async def _keep_complete(self) -> None:
        """Replace workers as they end."""
        while not self._closed:
            await self._changed.wait()
            self._changed.clear()
            if self._failures:
                await asyncio.sleep(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self._failures - 1)))
            try:
                await self._complete()
                self._failures = 0
            except Exception as error:  # whatever it is, the next attempt may succeed
                self._failures += 1
                self._changed.set()
                known = isinstance(error, TemplateEnded | OSError)
                logger.error("no decoding processes: %s", error, exc_info=None if known else error)

    async def _complete(self) -> None:
        if self._template is None or self._template.ended.done():
            if self._template is not None:
                await self._template.close()
            self._template = TemplateProcess(self._policy.worker_limits(), self._copies)
            await self._template.start()
        while len(self._workers) < self._policy.workers:
            worker = await self._template.fork()
            worker.ended.add_done_callback(partial(self._ended, worker))
            self._workers.add(worker)
            self._idle.append(worker)
            self._assign()
