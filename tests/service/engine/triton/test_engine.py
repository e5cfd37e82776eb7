"""The engine against Tritons that fail as told: who is asked, how often, and what the caller hears."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress

import grpc
import numpy as np
import pytest

from service.batching.batcher import Batcher, BatchPolicy
from service.batching.row_queue import Priority, RowResult
from service.engine.triton import channel as channel_module
from service.engine.triton import shared_memory
from service.errors import DeadlineExceeded, EngineFailure, EngineUnavailable, QueueFull, ServiceError
from service.metrics import Metrics
from service.repository import ModelFolder
from tests.service.engine.triton.asked import engine_for, ready, rows
from tests.service.engine.triton.fake_triton import FakeTriton, serving

UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "Socket closed")


async def test_rows_get_their_own_answers(models: dict[str, ModelFolder], fake: FakeTriton) -> None:
    async with serving(fake) as port, engine_for(models, port) as (engine, ledger):
        assert engine.ready()
        output = await engine.infer("text", rows(4, 9, length=8))
        assert output.shape == (2, 128)
        np.testing.assert_array_equal(output[:, 0], [7 + 6, 12 + 6])  # six pads of 1 each
        assert fake.shapes == [(2, 8)]
        assert ledger.outcomes == ["ok"]


async def test_the_deadline_reaches_the_server(models: dict[str, ModelFolder], fake: FakeTriton) -> None:
    async with serving(fake) as port, engine_for(models, port) as (engine, _):
        await engine.infer("text", rows(4, within_s=1.5))
        assert 1.0 < fake.deadlines[0] < 1.6  # gRPC rounds up


async def test_a_late_answer_is_a_passed_deadline(models: dict[str, ModelFolder], fake: FakeTriton) -> None:
    async with serving(fake) as port, engine_for(models, port) as (engine, _):
        fake.delay_s = 1.0
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await engine.infer("text", rows(4, within_s=0.1))
        assert time.monotonic() - started < 0.5


async def test_a_cancelled_call_ends_on_the_server(models: dict[str, ModelFolder], fake: FakeTriton) -> None:
    async with serving(fake) as port, engine_for(models, port) as (engine, ledger):
        fake.delay_s = 5.0
        call = asyncio.create_task(engine.infer("text", rows(4)))
        while not fake.attempts:
            await asyncio.sleep(0.01)
        call.cancel()
        async with asyncio.timeout(2):
            while not fake.cancelled:
                await asyncio.sleep(0.01)
        assert engine.ready(), "a caller who leaves says nothing about the server"
        assert ledger.outcomes == ["cancelled"]


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size", QueueFull),
        (grpc.StatusCode.UNAVAILABLE, "Request timeout expired", DeadlineExceeded),
        (grpc.StatusCode.UNAVAILABLE, "Socket closed", EngineUnavailable),
        (grpc.StatusCode.NOT_FOUND, "Request for unknown model: 'text' is not found", EngineUnavailable),
        (grpc.StatusCode.INTERNAL, "onnx runtime error 6", EngineFailure),
        (grpc.StatusCode.INVALID_ARGUMENT, "unexpected shape", EngineFailure),
    ],
)
async def test_each_fault_becomes_its_error(
    models: dict[str, ModelFolder],
    fake: FakeTriton,
    status: grpc.StatusCode,
    text: str,
    expected: type[ServiceError],
) -> None:
    fake.fail = (status, text)
    async with serving(fake) as port, engine_for(models, port) as (engine, _):
        with pytest.raises(expected) as raised:
            await engine.infer("text", rows(4))
        assert type(raised.value) is expected
        assert text not in raised.value.detail
        assert len(fake.attempts) == 1


async def test_an_unreachable_server_is_replaced_by_another_within_the_call(
    models: dict[str, ModelFolder], fake: FakeTriton
) -> None:
    broken = FakeTriton(models)
    broken.fail = UNAVAILABLE
    async with serving(broken) as one, serving(fake) as two, engine_for(models, one, two) as (engine, ledger):
        for _ in range(60):
            with suppress(EngineUnavailable):
                await engine.infer("text", rows(4))
            await ready(engine, True)
            await asyncio.sleep(0.01)
        assert ledger.retries >= 1
        assert len(broken.attempts) + len(fake.attempts) <= 60 * 1.1


async def test_attempts_stay_within_the_budget_when_every_inference_fails(
    models: dict[str, ModelFolder], fake: FakeTriton
) -> None:
    """Canaries pass, so that the breakers close again and again: the worst case for retries."""
    other = FakeTriton(models)
    fake.fail = other.fail = UNAVAILABLE
    async with serving(fake) as one, serving(other) as two, engine_for(models, one, two) as (engine, ledger):
        requests = 0
        while requests < 200:
            calls = [engine.infer("text", rows(4)) for _ in range(20)]
            requests += len(calls)
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(result) for result in results} == {EngineUnavailable}
            await ready(engine, True)
        attempts = len(fake.attempts) + len(other.attempts)
        assert attempts <= requests * 1.1
        assert ledger.retries > 0


async def test_calls_end_as_unavailable_when_the_connection_is_closed(
    models: dict[str, ModelFolder], fake: FakeTriton
) -> None:
    async with serving(fake) as port:
        context = engine_for(models, port)
        engine, _ = await context.__aenter__()
        fake.delay_s = 5.0
        call = asyncio.create_task(engine.infer("text", rows(4)))
        while not fake.attempts:
            await asyncio.sleep(0.01)
        await context.__aexit__(None, None, None)
        async with asyncio.timeout(2):
            with pytest.raises(EngineUnavailable):
                await call


async def test_rerunning_rows_of_failed_batches_ends_when_the_server_is_sick(
    models: dict[str, ModelFolder], fake: FakeTriton
) -> None:
    """200 rows in batches, every inference fails: attempts ÷ rows stay within a tenth above 1."""
    async with serving(fake) as port, engine_for(models, port) as (engine, _):
        fake.fail, fake.canaries_pass = (grpc.StatusCode.INTERNAL, "CUDA error"), False
        policy = BatchPolicy("text", 8, engine.slots(models["text"]))
        batcher = Batcher(engine, policy, max_queue=1000, observer=Metrics())
        row = {"tokens": np.array([4, 3], dtype=np.int64)}
        deadline_s = asyncio.get_running_loop().time() + 5.0
        calls = [batcher.submit([(row, 2)], Priority.INTERACTIVE, deadline_s) for _ in range(200)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert not any(isinstance(result, list) and isinstance(result[0], RowResult) for result in results)
        assert len(fake.attempts) <= 220


async def test_a_server_that_can_t_share_memory_gets_messages(
    models: dict[str, ModelFolder], fake: FakeTriton, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(channel_module, "INLINE_BYTES", 0)
    monkeypatch.setattr(shared_memory, "LEAST_BYTES", 0)
    async with serving(fake) as port, engine_for(models, port, triton_shared_memory=True) as (engine, _):
        for _ in range(3):
            assert (await engine.infer("text", rows(4)))[0, 0] == 7
    assert caplog.text.count("can't share memory") == 1
    assert not list(shared_memory.FOLDER.glob(f"onepeace-{os.getpid()}-*"))


async def test_calls_go_to_the_server_with_the_fewest_under_way(models: dict[str, ModelFolder]) -> None:
    fakes = [FakeTriton(models) for _ in range(3)]
    for fake in fakes:
        fake.delay_s = 0.2
    async with (
        serving(fakes[0]) as one,
        serving(fakes[1]) as two,
        serving(fakes[2]) as three,
        engine_for(models, one, two, three) as (engine, _),
    ):
        await asyncio.gather(*(engine.infer("text", rows(4)) for _ in range(12)))
    assert [len(fake.attempts) for fake in fakes] == [4, 4, 4]
