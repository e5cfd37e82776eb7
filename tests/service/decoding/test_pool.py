"""Decoding processes that crash, hang, take too much memory or are killed: one file is lost, and all is mended."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from service.decoding import pool as pool_module
from service.decoding import template_process as template_module
from service.decoding.messages import DecoderBug
from service.decoding.orders import ImageOrder, RegionsOrder
from service.decoding.pool import PoolPolicy, ProcessDecoders
from service.decoding.template_process import TemplateProcess
from service.errors import (
    DecoderCrashed,
    DecoderOutOfMemory,
    DecodersUnavailable,
    DecoderTimeout,
    Draining,
    InputError,
    NotReady,
    QueueFull,
)
from service.media.image import DecodedImage
from tests.service.decoding.descendants import (
    busy_worker,
    children,
    command,
    is_whole,
    lives,
    open_files,
    state,
    template_of,
    until,
    workers_of,
)
from tests.service.decoding.slow_files import slow_picture
from tests.service.media_files import picture
from tests.service.waiting import until_async

MIB = 1 << 20
POLICY = PoolPolicy(workers=2, max_queue=64, timeout_s=60.0, memory_bytes=1024 * MIB)
QUICK, SLOW = ImageOrder(picture(1), 96, 50_000_000), ImageOrder(slow_picture(), 96, 50_000_000)
ME = os.getpid()


@dataclass(slots=True)
class Pool:
    """A running pool, and the reasons that its observer heard."""

    decoders: ProcessDecoders
    reasons: list[str] = field(default_factory=list)

    async def good(self, count: int = 1) -> bool:
        """Whether so many ordinary files are decoded."""
        results = await asyncio.gather(*(self.decoders.submit(QUICK) for _ in range(count)))
        return all(isinstance(result, DecodedImage) for result in results)

    async def busy(self) -> int:
        return await asyncio.to_thread(busy_worker, ME)

    async def mended(self, workers: int = 2) -> None:
        async with asyncio.timeout(20):
            while not (self.decoders.ready() and is_whole(ME, workers)):
                await asyncio.sleep(0.005)

    async def heard(self, count: int) -> None:
        """Wait for so many reasons: the last one may be told after its worker was replaced."""
        async with asyncio.timeout(20):
            while len(self.reasons) < count:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(policy: PoolPolicy = POLICY) -> AsyncIterator[Pool]:
    with ThreadPoolExecutor(2) as threads:
        pool = Pool(ProcessDecoders(policy, threads, lambda reason: pool.reasons.append(reason)))
        await pool.decoders.start()
        try:
            yield pool
        finally:
            await pool.decoders.close()


def _has_ended(worker: int) -> bool:
    return not lives(worker)


def _has_template() -> bool:
    return len([child for child in children(ME) if b"service.decoding.template" in command(child)]) == 1


@pytest.mark.parametrize("end", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGXCPU])
async def test_a_crash_fails_its_own_file_alone(end: signal.Signals) -> None:
    async with running() as pool:
        poisoned = pool.decoders.submit(SLOW)
        worker = await pool.busy()
        neighbours = asyncio.gather(*(pool.decoders.submit(QUICK) for _ in range(20)))
        os.kill(worker, end)
        error = await poisoned
        assert isinstance(error, DecoderTimeout if end == signal.SIGXCPU else DecoderCrashed)
        assert all(isinstance(result, DecodedImage) for result in await neighbours)
        await pool.mended()
        assert worker not in workers_of(ME)
        assert await pool.good(8)
    assert pool.reasons == ["timeout" if end == signal.SIGXCPU else "crashed"]


async def test_a_hang_is_ended_when_its_time_is_over() -> None:
    async with running(replace(POLICY, timeout_s=2.0)) as pool:
        hanging = pool.decoders.submit(SLOW)
        os.kill(await pool.busy(), signal.SIGSTOP)
        assert await pool.good(20)
        error = await hanging
        assert isinstance(error, DecoderTimeout)
        assert error.limit == 2000
        await pool.mended()
        assert await pool.good(8)
    assert pool.reasons == ["timeout"]


async def test_a_file_that_takes_more_memory_than_it_may_is_refused() -> None:
    async with running(replace(POLICY, memory_bytes=32 * MIB)) as pool:
        greedy = [pool.decoders.submit(SLOW) for _ in range(5)]
        assert await pool.good(20)
        assert [type(error) for error in await asyncio.gather(*greedy)] == [DecoderOutOfMemory] * 5
        await pool.mended()
        assert await pool.good(8)
        await pool.heard(5)
    assert pool.reasons == ["memory"] * 5


async def test_a_worker_that_ends_idle_harms_no_file() -> None:
    async with running() as pool:
        for worker in workers_of(ME):
            os.kill(worker, signal.SIGKILL)
            await asyncio.to_thread(until, partial(_has_ended, worker), "a worker lives on")
        assert await pool.good(10)
        await pool.mended()
    assert pool.reasons == ["lost"] * 2


async def test_an_order_that_was_not_read_goes_to_another_worker() -> None:
    async with running(replace(POLICY, workers=1)) as pool:
        (worker,) = workers_of(ME)
        os.kill(worker, signal.SIGSTOP)
        await until_async(lambda: state(worker) == "T")  # it may read until then
        result = pool.decoders.submit(QUICK)
        await asyncio.sleep(0.05)
        os.kill(worker, signal.SIGKILL)
        assert isinstance(await result, DecodedImage)
        assert pool.reasons == ["lost"]


async def test_an_order_that_nobody_needs_frees_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "ABANDONED_S", 0.1)
    async with running(replace(POLICY, workers=1)) as pool:
        abandoned, waiting = pool.decoders.submit(SLOW), pool.decoders.submit(SLOW)
        os.kill(await pool.busy(), signal.SIGSTOP)
        abandoned.cancel()
        waiting.cancel()
        assert await pool.good(3)
        assert pool.reasons == ["abandoned"]


async def test_without_their_template_workers_end_and_all_start_anew() -> None:
    async with running() as pool:
        innocent = pool.decoders.submit(SLOW)
        await pool.busy()
        template, workers = template_of(ME), workers_of(ME)
        os.kill(template, signal.SIGKILL)
        assert isinstance(await innocent, DecodedImage)
        assert await pool.good(8)
        await pool.mended()
        assert not any(map(lives, [template, *workers]))
        assert template_of(ME) != template
    assert pool.reasons == ["lost"] * 2


async def test_a_file_whose_workers_are_lost_twice_is_the_services_fault() -> None:
    async with running(replace(POLICY, workers=1)) as pool:
        unlucky = pool.decoders.submit(SLOW)
        for _ in range(2):
            worker = await pool.busy()
            os.kill(template_of(ME), signal.SIGKILL)
            await asyncio.to_thread(until, partial(_has_ended, worker), "a worker outlives its template")
            await asyncio.to_thread(until, _has_template, "there is no new template")
            await pool.mended(1)
        with pytest.raises(DecodersUnavailable):
            await unlucky
        assert await pool.good(4)
    assert pool.reasons == ["lost"] * 2


async def test_a_file_that_is_decoded_at_the_end_is_no_bad_file() -> None:
    async with running() as pool:
        late = pool.decoders.submit(SLOW)
        await pool.busy()
    with pytest.raises(Draining):
        await late


async def test_a_template_that_does_not_obey_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_module, "END_S", 0.5)
    async with running(replace(POLICY, timeout_s=1.5)) as pool:
        hanging = pool.decoders.submit(SLOW)
        worker, template = await pool.busy(), template_of(ME)
        os.kill(worker, signal.SIGSTOP)
        os.kill(template, signal.SIGSTOP)
        assert isinstance(await hanging, DecoderTimeout)
        assert await pool.good(8)
        await pool.mended()
        assert not lives(template)
        assert not lives(worker)


async def test_a_start_that_the_system_refuses_tells_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_module, "COMMAND", ("/etc/passwd",))
    with ThreadPoolExecutor(1) as threads:
        pool = ProcessDecoders(POLICY, threads, lambda _: None)
        with pytest.raises(NotReady, match="Permission denied: '/etc/passwd'"):
            await pool.start()
        await pool.close()


async def test_workers_that_can_not_start_are_not_ready_and_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_module, "COMMAND", ("/bin/false",))
    with ThreadPoolExecutor(1) as threads:
        pool = ProcessDecoders(POLICY, threads, lambda _: None)
        with pytest.raises(NotReady, match=r"ended \(exit code 1\)"):
            await pool.start()
        await pool.close()
    monkeypatch.undo()
    async with running() as started:
        monkeypatch.setattr(template_module, "COMMAND", ("/bin/false",))
        os.kill(template_of(ME), signal.SIGKILL)
        async with asyncio.timeout(20):
            while started.decoders.ready():
                await asyncio.sleep(0.01)
        waiting = started.decoders.submit(QUICK)
        monkeypatch.undo()
        assert isinstance(await waiting, DecodedImage)
        await started.mended()


async def test_a_start_that_is_cancelled_leaves_nothing_that_fails_later() -> None:
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    with ThreadPoolExecutor(1) as threads:
        template = TemplateProcess(POLICY.worker_limits(), threads)
        starting = asyncio.create_task(template.start())
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await asyncio.sleep(4)
        await template.close()
    assert faults == []


async def test_a_bug_is_raised_where_the_file_was_asked_for() -> None:
    async with running() as pool:
        with pytest.raises(DecoderBug, match="decode_regions"):
            await pool.decoders.submit(RegionsOrder(picture(1), (), 96, 50_000_000))
        assert await pool.good(4)
    assert pool.reasons == []


async def test_nonsense_from_a_worker_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as pool:
        monkeypatch.setattr(ImageOrder, "unpack", _fail)
        assert isinstance(await pool.decoders.submit(QUICK), DecoderCrashed)
        monkeypatch.undo()
        await pool.mended()
        assert await pool.good(4)
    assert pool.reasons == ["crashed"]


def _fail(*_: object) -> None:
    raise ValueError("not the shape that was asked for")


async def test_the_queue_is_bounded() -> None:
    async with running(replace(POLICY, workers=1, max_queue=3)) as pool:
        first = pool.decoders.submit(SLOW)
        others = [pool.decoders.submit(QUICK) for _ in range(3)]
        with pytest.raises(QueueFull) as refused:
            pool.decoders.submit(QUICK)
        assert refused.value.limit == 3
        assert not isinstance(await first, InputError)
        assert all(isinstance(result, DecodedImage) for result in await asyncio.gather(*others))
        assert await pool.good()


async def test_no_descriptor_and_no_process_is_left() -> None:
    async with running() as warm:  # what is opened once for all, such as epoll and the pool of threads
        assert await warm.good()
    before, processes = sorted(open_files(ME)), children(ME)
    async with running() as pool:
        started = len(open_files(ME))
        for _ in range(5):
            poisoned = pool.decoders.submit(SLOW)
            os.kill(await pool.busy(), signal.SIGSEGV)
            assert isinstance(await poisoned, DecoderCrashed)
            await pool.mended()
        assert len(open_files(ME)) == started
        pool.decoders.submit(SLOW)
        await pool.busy()
    assert sorted(open_files(ME)) == before
    assert children(ME) == processes


@pytest.mark.parametrize("wait_s", [0.0, 0.002, 0.01, 0.05, 0.2])
async def test_it_can_be_closed_while_workers_are_replaced(wait_s: float) -> None:
    before = children(ME)
    async with asyncio.timeout(30), running() as pool:
        for worker in workers_of(ME):
            os.kill(worker, signal.SIGKILL)
        waiting = [pool.decoders.submit(SLOW) for _ in range(4)]
        await asyncio.sleep(wait_s)
    assert all(future.done() for future in waiting)
    assert children(ME) == before
