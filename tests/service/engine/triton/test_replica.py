"""When a server counts as sick, and when only its load or its rows are to blame."""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest

from service.engine.triton import replica as replica_module
from service.errors import DeadlineExceeded, EngineFailure, EngineUnavailable
from service.repository import ModelFolder, RepositoryError
from tests.service.engine.triton.asked import ask, engine_for, ready, rows
from tests.service.engine.triton.fake_triton import FakeTriton, serving


async def test_a_sick_server_is_left_alone_until_its_canary_is_answered(
    models: dict[str, ModelFolder], fake: FakeTriton
) -> None:
    async with serving(fake) as port, engine_for(models, port) as (engine, _):
        fake.fail, fake.canaries_pass = (grpc.StatusCode.INTERNAL, "CUDA error"), False
        for _ in range(3):
            with pytest.raises(EngineFailure):
                await engine.infer("text", rows(4))
        await ready(engine, False)
        attempts = len(fake.attempts)
        with pytest.raises(EngineUnavailable):
            await engine.infer("text", rows(4))
        assert len(fake.attempts) == attempts
        fake.fail = None
        await ready(engine, True, 1.0)
        await engine.infer("text", rows(4))


async def test_rows_that_always_fail_don_t_make_the_server_sick(
    models: dict[str, ModelFolder], fake: FakeTriton
) -> None:
    fake.fail = (grpc.StatusCode.INTERNAL, "poison")
    async with serving(fake) as port, engine_for(models, port) as (engine, _):
        for _ in range(20):
            with pytest.raises(EngineFailure):
                await engine.infer("text", rows(4))
            assert engine.ready()


async def test_deadlines_missed_under_load_don_t_make_the_server_sick(
    models: dict[str, ModelFolder], fake: FakeTriton
) -> None:
    async with serving(fake) as port, engine_for(models, port) as (engine, _):
        fake.delay_s = 0.15  # canaries have 0.3 s
        calls = [engine.infer("text", rows(4, within_s=0.05)) for _ in range(12)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(result) for result in results} == {DeadlineExceeded}
        assert engine.ready()
        assert (await engine.infer("text", rows(4)))[0, 0] == 7


async def test_a_canary_in_a_long_queue_doesn_t_make_the_server_sick(
    models: dict[str, ModelFolder], fake: FakeTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_module, "COMPARE_S", 0.2)  # so that canaries are due although calls are answered
    monkeypatch.setattr(replica_module, "BUSY_LOOK_S", 0.1)
    async with serving(fake) as port, engine_for(models, port) as (engine, ledger):
        fake.delay_s, fake.one_by_one = 0.05, asyncio.Lock()  # 16 calls stand before a canary: 0.8 s, it has 0.3
        await asyncio.gather(*(ask(engine, 4) for _ in range(16)))
        assert set(ledger.outcomes) == {"ok"}
        assert engine.ready()


async def test_a_server_that_stops_answering_is_found_sick_and_its_calls_are_cut(
    models: dict[str, ModelFolder], fake: FakeTriton
) -> None:
    async with serving(fake) as port, engine_for(models, port) as (engine, _):
        fake.delay_s = 60.0
        started = time.monotonic()
        with pytest.raises(EngineUnavailable):
            await engine.infer("text", rows(4, within_s=30.0))
        assert time.monotonic() - started < 3.0
        assert not engine.ready()


async def test_another_fingerprint_is_refused_at_the_start_and_names_both(
    models: dict[str, ModelFolder], fake: FakeTriton
) -> None:
    fake.fingerprint = "f" * 64
    async with serving(fake) as port:
        with pytest.raises(RepositoryError) as raised:
            async with engine_for(models, port):
                pass
        assert "f" * 64 in str(raised.value)
        assert models["text"].card.fingerprint in str(raised.value)
        assert f"127.0.0.1:{port}" in str(raised.value)


async def test_a_server_that_comes_back_as_another_gets_no_calls(
    models: dict[str, ModelFolder], fake: FakeTriton
) -> None:
    async with serving(fake) as port:
        context = engine_for(models, port)
        engine, _ = await context.__aenter__()
    try:
        await ready(engine, False)
        fake.fingerprint = "f" * 64
        async with serving(fake, port):
            await asyncio.sleep(1.2)
            with pytest.raises(EngineUnavailable):
                await engine.infer("text", rows(4))
            assert fake.attempts == []
            fake.fingerprint = None
            await ready(engine, True)
            await engine.infer("text", rows(4))
    finally:
        await context.__aexit__(None, None, None)


async def test_a_model_that_is_reloaded_as_another_gets_no_more_calls(
    models: dict[str, ModelFolder], fake: FakeTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_module, "COMPARE_S", 0.2)
    monkeypatch.setattr(replica_module, "BUSY_LOOK_S", 0.1)
    async with serving(fake) as port, engine_for(models, port) as (engine, _):
        fake.fingerprint = "f" * 64
        with pytest.raises(EngineUnavailable):
            await ask(engine, 200, pause_s=0.01)  # busy all the time, so that no canary is due for silence


async def test_callers_whose_time_is_over_raise_doubt(models: dict[str, ModelFolder], fake: FakeTriton) -> None:
    async with serving(fake) as port, engine_for(models, port) as (engine, ledger):
        fake.delay_s = 0.2
        for _ in range(3):
            call = asyncio.create_task(engine.infer("text", rows(4, within_s=0.05)))
            await asyncio.sleep(0.045)  # a watchdog's timer ends the call in the moment of its deadline
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        assert ledger.outcomes == ["deadline_exceeded"] * 3


async def test_the_log_says_what_triton_said_and_the_caller_doesn_t_hear_it(
    models: dict[str, ModelFolder], fake: FakeTriton, caplog: pytest.LogCaptureFixture
) -> None:
    fake.fail, fake.canaries_pass = (grpc.StatusCode.INTERNAL, "CUDA error: out of memory"), False
    async with serving(fake) as port, engine_for(models, port) as (engine, _):
        await asyncio.sleep(0.5)
        with pytest.raises(EngineUnavailable) as raised:
            await engine.infer("text", rows(4))
        assert "CUDA" not in str(raised.value)
    assert caplog.text.count("INTERNAL: CUDA error: out of memory") == 1, "once, not at every probe"
