"""The way of every row: prepared off the event loop, batched, run. One object for all models."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol, TypeVar

from service.batching.batcher import Batcher, BatchObserver, BatchPolicy
from service.batching.row_queue import Priority, RowResult
from service.context import Stages
from service.decoding.choice import DecodingObserver, build_decoders
from service.decoding.orders import Order
from service.engine.protocol import Engine
from service.errors import EngineFailure, InputError
from service.fetching.media_urls import MediaUrls
from service.media.text import EncodedText, TextSource
from service.preprocessing import Prepared, Preprocessor
from service.repository import ModelFolder
from service.settings import Settings
from service.tracing import Span

T = TypeVar("T")
Task = TypeVar("Task")
Job = Callable[[], T]

TEXT_JOB_CHARS = 32 * 1024
"""Characters (or ids) tokenised in one job: at most some 30 ms, after which another request's job has its turn."""
TRACED_BATCHES = 16
"""Batches of one request that its trace shows; the first ones."""
INLINE_TEXT_CHARS = 512
"""Texts up to this many characters together are tokenised on the event loop: some 50 µs at most, while a change
of threads costs as much and gains nothing."""


class PipelineObserver(BatchObserver, DecodingObserver, Protocol):
    """Who wants to know what becomes of batches and decoders: the metrics."""


class Pipeline:
    """Decoders, preprocessing and one batcher for each model in front of one engine."""

    def __init__(
        self,
        models: dict[str, ModelFolder],
        engine: Engine,
        settings: Settings,
        observer: PipelineObserver,
        urls: MediaUrls,
    ) -> None:
        self.urls = urls
        self.max_text_bytes = settings.max_text_bytes
        self._bulk_items = settings.bulk_items
        self.preprocessor = Preprocessor(models, settings)
        self._pool = ThreadPoolExecutor(settings.decode_cores(), thread_name_prefix="decode")
        self._decoders = build_decoders(settings, self._pool, observer)
        self._batchers = {
            name: Batcher(
                engine, BatchPolicy.of(model, engine.slots(model)), max_queue=settings.max_queue, observer=observer
            )
            for name, model in models.items()
        }

    async def start(self) -> None:
        """Have the decoders ready.

        Raises:
            NotReady: they can't be.
        """
        await self._decoders.start()

    def ready(self) -> bool:
        """Whether files can be decoded now."""
        return self._decoders.ready()

    async def decode(self, orders: Sequence[Order[T]], stages: Stages) -> list[T | InputError]:
        """Decode each file; an input error takes the place of its own result only.

        Raises:
            QueueFull: too many files wait to be decoded.
        """
        return await _gather(self._decoders.submit, orders, stages)

    async def prepare(self, jobs: Sequence[Job[T]], stages: Stages) -> list[T | InputError]:
        """Run each job in a thread of this process: code that can't crash it."""
        loop = asyncio.get_running_loop()

        def submit(job: Job[T]) -> asyncio.Future[T | InputError]:
            return loop.run_in_executor(self._pool, _attempt, job)

        return await _gather(submit, jobs, stages)

    async def prepare_texts(
        self, model: str, texts: Sequence[TextSource], stages: Stages
    ) -> list[EncodedText | InputError]:
        """Tokenise texts, or check their ids: a few short ones at once, cheaper than a change of threads."""

        def tokenize(some: Sequence[TextSource]) -> list[EncodedText | InputError]:
            return [_attempt(partial(self.preprocessor.text, model, text)) for text in some]

        if sum(map(len, texts)) <= INLINE_TEXT_CHARS:
            started_s = time.perf_counter()
            encoded = tokenize(texts)
            stages.spent("decode", started_s)
            return encoded
        results = await self.prepare([partial(tokenize, some) for some in _portions(texts)], stages)
        return [text for result in results if not isinstance(result, InputError) for text in result]

    async def run(
        self, rows: Sequence[Prepared], stages: Stages, priority: Priority | None = None
    ) -> list[RowResult | EngineFailure]:
        """Run rows of any models; one result or failure for each, in order.

        Without a `priority`, more rows than `bulk_items` let others go first.

        Raises:
            QueueFull: a model's queue has no room for its rows.
            Unavailable: the engine can't run any row now.
        """
        if priority is None:
            priority = Priority.BULK if len(rows) > self._bulk_items else Priority.INTERACTIVE
        places: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            places.setdefault(row.model, []).append(place)
        groups = [
            self._batchers[model].submit(
                [(rows[place].inputs, rows[place].length) for place in own], priority, stages.deadline_s, stages.span
            )
            for model, own in places.items()
        ]
        answers = [await groups[0]] if len(groups) == 1 else await _all(groups)
        results: list[RowResult | EngineFailure] = [EngineFailure("no result")] * len(rows)
        for own, answer in zip(places.values(), answers, strict=True):
            for place, result in zip(own, answer, strict=True):
                results[place] = result
        _record(results, stages)
        return results

    async def close(self) -> None:
        """Let the batches under way finish, then stop the decoders and the threads."""
        for batcher in self._batchers.values():
            await batcher.drain()
        await self.urls.close()
        await self._decoders.close()
        self._pool.shutdown(wait=False, cancel_futures=True)


async def _gather(
    submit: Callable[[Task], asyncio.Future[T | InputError]], tasks: Sequence[Task], stages: Stages
) -> list[T | InputError]:
    started_s = time.perf_counter()
    futures: list[asyncio.Future[T | InputError]] = []
    try:
        for task in tasks:
            futures.append(submit(task))  # noqa: PERF401 (when one is refused, those before are cancelled)
        return [await future for future in futures]
    finally:
        stages.spent("decode", started_s)
        for future in futures:  # after a cancellation the rest need not start
            future.cancel()


def _portions(texts: Sequence[TextSource]) -> Iterator[Sequence[TextSource]]:
    """Cut a list of texts where enough characters are together for one job."""
    start = size = 0
    for end, text in enumerate(texts, 1):
        size += len(text)
        if size >= TEXT_JOB_CHARS or end == len(texts):
            yield texts[start:end]
            start, size = end, 0


def _attempt(job: Job[T]) -> T | InputError:
    try:
        return job()
    except InputError as error:
        return error.with_traceback(None)  # which would keep the file


async def _all(groups: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Await all; when one raises, cancel the others and raise its error."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in groups]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def _record(results: Sequence[RowResult | EngineFailure], stages: Stages) -> None:
    done = [result for result in results if isinstance(result, RowResult)]
    stages.queue += max((result.queue_s for result in done), default=0.0)
    stages.infer += max((result.infer_s for result in done), default=0.0)
    stages.ended_s = time.perf_counter()
    if stages.span is not None:
        _trace(done, stages.span)


def _trace(results: Sequence[RowResult], span: Span) -> None:
    """A wait and a run for each batch that rows of this request were in."""
    batches: dict[float, RowResult] = {}
    for result in results:
        known = batches.get(result.started_s)
        if known is None or known.queue_s < result.queue_s:
            batches[result.started_s] = result
    for started_s, result in sorted(batches.items())[:TRACED_BATCHES]:
        links = () if result.span is None else (result.span,)
        span.add("queue", started_s - result.queue_s, started_s)
        span.add("infer", started_s, started_s + result.infer_s, links)
