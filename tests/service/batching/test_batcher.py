"""The batcher against a fake engine: what runs together, in which order, and who fails."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import numpy as np
import pytest

from service.batching.batcher import Batcher, BatchPolicy, BatchReport
from service.batching.row_queue import Priority, RowResult
from service.engine.fake import FakeEngine
from service.engine.protocol import Array, Batch, RowInputs
from service.errors import DeadlineExceeded, EngineFailure, EngineUnavailable, QueueFull


class Ledger:
    """Keeps what the batcher reports."""

    def __init__(self) -> None:
        self.reports: list[BatchReport] = []
        self.depth: Callable[[], int] = lambda: 0

    def batch_ran(self, report: BatchReport) -> None:
        self.reports.append(report)

    def watch_queue(self, model: str, depth: Callable[[], int]) -> None:
        self.depth = depth


def total(row: RowInputs) -> Array:
    return np.array([row["tokens"].sum()], dtype=np.float32)


def row(*tokens: int) -> tuple[RowInputs, int]:
    return {"tokens": np.array(tokens, dtype=np.int64)}, len(tokens)


def make(engine: FakeEngine, *, slots: int = 1, max_rows: int = 8, max_queue: int = 100) -> tuple[Batcher, Ledger]:
    ledger = Ledger()
    policy = BatchPolicy("text", max_rows, slots, (4, 8))
    return Batcher(engine, policy, max_queue=max_queue, observer=ledger), ledger


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def values(results: list[RowResult | EngineFailure]) -> list[float | None]:
    return [float(r.output[0]) if isinstance(r, RowResult) else None for r in results]


async def held(batcher: Batcher, engine: FakeEngine) -> asyncio.Task[list[RowResult | EngineFailure]]:
    """Occupies the engine's slot until the gate opens."""
    engine.gate.clear()
    task = asyncio.create_task(batcher.submit([row(1)], Priority.INTERACTIVE))
    await settle()
    return task


async def test_a_lone_row_runs_at_once() -> None:
    engine = FakeEngine(total)
    batcher, _ = make(engine)
    assert values(await batcher.submit([row(2, 3)], Priority.INTERACTIVE)) == [5.0]
    assert engine.batches == [1]


async def test_rows_that_wait_share_a_batch_and_keep_their_own_answers() -> None:
    engine = FakeEngine(total)
    batcher, _ = make(engine)
    first = await held(batcher, engine)
    others = [asyncio.create_task(batcher.submit([row(i, i)], Priority.INTERACTIVE)) for i in range(5)]
    await settle()
    engine.gate.set()
    assert [values(await task)[0] for task in others] == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert values(await first) == [1.0]
    assert engine.batches == [1, 5]


async def test_rows_of_one_turn_of_the_loop_share_a_batch_without_waiting() -> None:
    engine = FakeEngine(total)
    batcher, _ = make(engine)
    await asyncio.gather(*(batcher.submit([row(i)], Priority.INTERACTIVE) for i in range(6)))
    assert engine.batches == [6]


async def test_a_batch_never_exceeds_its_limit() -> None:
    engine = FakeEngine(total)
    batcher, _ = make(engine, max_rows=4)
    results = await batcher.submit([row(i) for i in range(10)], Priority.BULK)
    assert values(results) == [float(i) for i in range(10)]
    assert engine.batches == [4, 4, 2]


async def test_long_rows_run_in_smaller_batches() -> None:
    engine = FakeEngine(total)
    policy = BatchPolicy("text", 8, 1, (4, 8), max_positions=16)
    batcher = Batcher(engine, policy, max_queue=100, observer=Ledger())
    await batcher.submit([row(*range(8))] * 5, Priority.INTERACTIVE)
    await batcher.submit([row(1)] * 5, Priority.INTERACTIVE)
    assert engine.batches == [2, 2, 1, 4, 1]


async def test_a_row_above_the_bound_still_runs_alone() -> None:
    engine = FakeEngine(total)
    batcher = Batcher(engine, BatchPolicy("text", 8, 1, (), 4), max_queue=100, observer=Ledger())
    assert len(await batcher.submit([row(*range(30))] * 2, Priority.INTERACTIVE)) == 2
    assert engine.batches == [1, 1]


async def test_rows_are_grouped_by_length() -> None:
    engine = FakeEngine(total)
    batcher, ledger = make(engine)
    await batcher.submit([row(1), row(*range(8)), row(1, 2), row(*range(7))], Priority.INTERACTIVE)
    assert [shape["tokens"] for shape in engine.shapes] == [(2, 2), (2, 8)]
    assert sum(report.padding for report in ledger.reports) == 2


async def test_padding_goes_to_the_bucket_where_the_engine_asks_for_it() -> None:
    engine = FakeEngine(total)
    engine.pads_to_bucket = True
    batcher, _ = make(engine)
    await batcher.submit([row(5, 5), row(5, 5, 5)], Priority.INTERACTIVE)
    assert engine.shapes == [{"tokens": (2, 4)}]


async def test_interactive_rows_go_before_bulk() -> None:
    engine = FakeEngine(total)
    batcher, _ = make(engine, max_rows=1)
    await held(batcher, engine)
    order: list[str] = []

    async def one(name: str, priority: Priority) -> None:
        await batcher.submit([row(1)], priority)
        order.append(name)

    tasks = [asyncio.create_task(one(*pair)) for pair in (("bulk", Priority.BULK), ("small", Priority.INTERACTIVE))]
    await settle()
    engine.gate.set()
    await asyncio.gather(*tasks)
    assert order == ["small", "bulk"]


async def test_bulk_rows_do_not_starve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.batching.batcher.BULK_HANDICAP_S", 0.01)
    engine = FakeEngine(total)
    batcher, _ = make(engine, max_rows=1)
    await held(batcher, engine)
    bulk = asyncio.create_task(batcher.submit([row(1)], Priority.BULK))
    await asyncio.sleep(0.02)
    small = asyncio.create_task(batcher.submit([row(1)], Priority.INTERACTIVE))
    await settle()
    engine.gate.set()
    done, _ = await asyncio.wait([bulk, small], return_when=asyncio.FIRST_COMPLETED)
    assert bulk in done
    await small


async def test_overflow_is_refused_and_nothing_is_half_queued() -> None:
    engine = FakeEngine(total)
    batcher, ledger = make(engine, max_queue=3)
    first = await held(batcher, engine)
    waiting = asyncio.create_task(batcher.submit([row(1), row(2)], Priority.INTERACTIVE))
    await settle()
    with pytest.raises(QueueFull) as caught:
        await batcher.submit([row(3), row(4)], Priority.INTERACTIVE)
    assert caught.value.limit == 3
    assert ledger.depth() == 2
    engine.gate.set()
    assert values(await waiting) == [1.0, 2.0]
    await first


async def test_a_row_whose_caller_left_is_dropped_before_it_runs() -> None:
    engine = FakeEngine(total)
    batcher, ledger = make(engine)
    first = await held(batcher, engine)
    gone = asyncio.create_task(batcher.submit([row(9)], Priority.INTERACTIVE))
    stays = asyncio.create_task(batcher.submit([row(7)], Priority.INTERACTIVE))
    await settle()
    assert ledger.depth() == 2
    gone.cancel()
    await settle()
    assert ledger.depth() == 1
    engine.gate.set()
    assert values(await stays) == [7.0]
    assert engine.batches == [1, 1]
    await first
    with pytest.raises(asyncio.CancelledError):
        await gone


def is_nine(inputs: RowInputs) -> bool:
    return 9 in inputs["tokens"]


@pytest.mark.parametrize(
    "engine_of",
    [
        lambda: FakeEngine(total, poison=is_nine),
        lambda: FakeEngine(lambda inputs: total(inputs) * (np.float32(np.nan) if is_nine(inputs) else 1)),
    ],
    ids=["fails", "gives NaN"],
)
async def test_only_the_guilty_row_of_a_batch_fails(engine_of: Callable[[], FakeEngine]) -> None:
    batcher, _ = make(engine_of())
    results = await batcher.submit([row(1), row(9), row(3)], Priority.INTERACTIVE)
    assert values(results) == [1.0, None, 3.0]
    assert isinstance(results[1], EngineFailure)


async def test_a_slot_is_free_again_after_a_failure() -> None:
    engine = FakeEngine(total, poison=is_nine)
    batcher, _ = make(engine)
    await batcher.submit([row(9)], Priority.INTERACTIVE)
    assert values(await batcher.submit([row(2)], Priority.INTERACTIVE)) == [2.0]


async def test_several_slots_run_side_by_side() -> None:
    engine = FakeEngine(total)
    engine.gate.clear()
    batcher, _ = make(engine, slots=2, max_rows=1)
    tasks = [asyncio.create_task(batcher.submit([row(i)], Priority.INTERACTIVE)) for i in range(3)]
    await settle()
    engine.gate.set()
    await asyncio.gather(*tasks)
    await batcher.drain()
    assert engine.batches == [1, 1, 1]


async def test_the_end_does_not_wait_for_a_dead_engine_when_nobody_else_does() -> None:
    engine = FakeEngine(total)
    batcher, _ = make(engine)
    caller = await held(batcher, engine)  # the gate never opens
    caller.cancel()
    await asyncio.wait_for(batcher.drain(), 5)


async def test_a_call_that_nobody_waits_for_is_ended_where_the_engine_can() -> None:
    engine = FakeEngine(total)
    engine.gives_up = True
    batcher, _ = make(engine)
    running = await held(batcher, engine)
    running.cancel()
    await settle()
    engine.gate.set()
    assert values(await batcher.submit([row(4)], Priority.INTERACTIVE)) == [4.0]
    assert engine.batches == [1], "the abandoned call went on"


@pytest.mark.parametrize("turns", range(6))
async def test_a_caller_may_leave_at_any_turn_of_the_loop(turns: int) -> None:
    engine = FakeEngine(total)
    engine.gives_up = True
    batcher, _ = make(engine)
    leaving = asyncio.create_task(batcher.submit([row(1)], Priority.INTERACTIVE))
    for _ in range(turns):
        await asyncio.sleep(0)
    leaving.cancel()
    await settle()
    async with asyncio.timeout(1):
        assert values(await batcher.submit([row(4)], Priority.INTERACTIVE)) == [4.0]


async def test_a_call_goes_on_while_one_of_its_rows_is_waited_for() -> None:
    engine = FakeEngine(total)
    engine.gives_up = True
    batcher, _ = make(engine)
    first = await held(batcher, engine)
    pair = [asyncio.create_task(batcher.submit([row(i, i)], Priority.INTERACTIVE)) for i in (2, 3)]
    await settle()
    engine.gate.set()
    await first
    engine.gate.clear()
    pair[0].cancel()
    await settle()
    engine.gate.set()
    assert values(await pair[1]) == [6.0]


async def test_the_engine_hears_until_when_any_row_of_the_batch_is_wanted() -> None:
    heard: list[float] = []

    class Listening(FakeEngine):
        async def infer(self, model: str, batch: Batch) -> Array:
            heard.append(batch.deadline_s)
            return await super().infer(model, batch)

    engine = Listening(total)
    batcher, _ = make(engine)
    first = await held(batcher, engine)
    pair = [asyncio.create_task(batcher.submit([row(2)], Priority.INTERACTIVE, when)) for when in (5.0, 7.0)]
    await settle()
    engine.gate.set()
    await asyncio.gather(first, *pair)
    assert heard == [math.inf, 7.0]


async def test_an_engine_that_is_away_is_no_reason_to_try_rows_one_by_one() -> None:
    class Away(FakeEngine):
        async def infer(self, model: str, batch: Batch) -> Array:
            self.batches.append(len(batch))
            raise EngineUnavailable("nobody there")

    engine = Away(total)
    batcher, _ = make(engine)
    with pytest.raises(EngineUnavailable):
        await batcher.submit([row(1), row(2), row(3)], Priority.INTERACTIVE)
    assert engine.batches == [3]


async def test_a_row_that_runs_out_of_time_alone_fails_no_neighbour() -> None:
    class LateForOne(FakeEngine):
        async def infer(self, model: str, batch: Batch) -> Array:
            if len(batch) > 1:
                raise EngineFailure("one of these is poison")
            if batch.deadline_s < 10.0:
                raise DeadlineExceeded("too late")
            return await super().infer(model, batch)

    engine = LateForOne(total)
    batcher, _ = make(engine)
    tasks = [
        asyncio.create_task(batcher.submit([row(i, i)], Priority.INTERACTIVE, when))
        for i, when in ((1, 5.0), (2, 30.0), (3, 30.0))
    ]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], DeadlineExceeded)
    assert [values(result) for result in results[1:]] == [[4.0], [6.0]]


async def test_nobody_waits_for_a_call_that_was_cancelled_from_outside() -> None:
    class Cancelled(FakeEngine):
        async def infer(self, model: str, batch: Batch) -> Array:
            raise asyncio.CancelledError

    batcher, _ = make(Cancelled(total))
    async with asyncio.timeout(1):
        (result,) = await batcher.submit([row(1)], Priority.INTERACTIVE)
    assert isinstance(result, EngineFailure)
