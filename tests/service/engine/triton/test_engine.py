"""The engine against Tritons that fail as told: who is asked, how often, and what the caller hears."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import grpc
import numpy as np
import pytest

from service.batching.batcher import Batcher, BatchPolicy
from service.batching.row_queue import Priority, RowResult
from service.engine.observer import BreakerState
from service.engine.protocol import Batch
from service.engine.triton import channel as channel_module
from service.engine.triton import engine as engine_module
from service.engine.triton import replica as replica_module
from service.engine.triton import shared_memory
from service.engine.triton.engine import TritonEngine
from service.errors import DeadlineExceeded, EngineFailure, EngineUnavailable, QueueFull, ServiceError
from service.metrics import Metrics
from service.repository import ModelFolder, RepositoryError, read_repository
from service.settings import Settings
from tests.repository import REPOSITORY
from tests.service.engine.triton.fake_triton import FakeTriton, serving

UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "Socket closed")


class Ledger:
    """Keeps what the engine reports."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.retries = 0
        self.breakers: dict[str, BreakerState | None] = {}

    def call_ended(self, model: str, outcome: str, seconds: float) -> None:
        self.outcomes.append(outcome)

    def call_retried(self, model: str) -> None:
        self.retries += 1

    def breaker_changed(self, address: str, model: str, state: BreakerState | None) -> None:
        self.breakers[address] = state


@pytest.fixture(scope="module")
def models() -> dict[str, ModelFolder]:
    return {"text": read_repository(REPOSITORY)["text"]}


@pytest.fixture
def fake(models: dict[str, ModelFolder]) -> FakeTriton:
    return FakeTriton(models)


@asynccontextmanager
async def engine_for(
    models: dict[str, ModelFolder], *ports: int, **more: bool
) -> AsyncIterator[tuple[TritonEngine, Ledger]]:
    url = ",".join(f"127.0.0.1:{port}" for port in ports)
    settings = Settings(engine="triton", triton_url=url, triton_probe_timeout_ms=300, **more)
    ledger = Ledger()
    engine = TritonEngine(models, settings, ledger)
    await engine.start()
    try:
        yield engine, ledger
    finally:
        await engine.close()


def rows(*tokens: int, within_s: float = 5.0, length: int | None = None) -> Batch:
    deadline_s = asyncio.get_running_loop().time() + within_s
    return Batch([{"tokens": np.array([token, 3], dtype=np.int64)} for token in tokens], length, deadline_s)


async def ready(engine: TritonEngine, wanted: bool, within_s: float = 2.0) -> None:
    async with asyncio.timeout(within_s):
        while engine.ready() is not wanted:
            await asyncio.sleep(0.01)


async def ask_on(engine: TritonEngine, times: int) -> None:
    for _ in range(times):
        await engine.infer("text", rows(4))
        await asyncio.sleep(0.01)


async def several(engine: TritonEngine, times: int) -> None:
    for _ in range(times):
        await engine.infer("text", rows(4))


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
        await asyncio.gather(*(several(engine, 4) for _ in range(16)))
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
            await ask_on(engine, 200)  # busy all the time, so that no canary is due for silence


async def test_a_call_on_a_server_that_the_name_loses_is_answered(
    models: dict[str, ModelFolder], fake: FakeTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = FakeTriton(models)
    async with serving(fake) as one, serving(other) as two:
        answers = {f"127.0.0.1:{one}"}

        async def resolve(place: object) -> set[str]:
            return set(answers)

        monkeypatch.setattr(engine_module, "resolve", resolve)
        monkeypatch.setattr(engine_module, "RESOLVE_S", 0.05)
        async with engine_for(models, one) as (engine, _):
            fake.delay_s = 0.2
            call = asyncio.create_task(engine.infer("text", rows(4)))
            while not fake.attempts:
                await asyncio.sleep(0.01)
            answers.symmetric_difference_update({f"127.0.0.1:{one}", f"127.0.0.1:{two}"})
            async with asyncio.timeout(2):
                assert (await call)[0, 0] == 7
                await ready(engine, True)
                assert (await engine.infer("text", rows(5)))[0, 0] == 8
            assert other.attempts


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


async def test_a_sick_server_that_the_name_loses_is_left_before_the_deadline(
    models: dict[str, ModelFolder], fake: FakeTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(fake) as port:
        answers = {f"127.0.0.1:{port}"}

        async def resolve(place: object) -> set[str]:
            return set(answers)

        monkeypatch.setattr(engine_module, "resolve", resolve)
        monkeypatch.setattr(engine_module, "RESOLVE_S", 0.05)
        async with engine_for(models, port) as (engine, _):
            fake.delay_s = 60.0
            call = asyncio.create_task(engine.infer("text", rows(4, within_s=20.0)))
            while not fake.attempts:
                await asyncio.sleep(0.01)
            answers.clear()
            async with asyncio.timeout(4):
                with pytest.raises(EngineUnavailable):
                    await call


async def test_callers_whose_time_is_over_raise_doubt(models: dict[str, ModelFolder], fake: FakeTriton) -> None:
    async with serving(fake) as port, engine_for(models, port) as (engine, ledger):
        fake.delay_s = 0.2
        for _ in range(3):
            call = asyncio.create_task(engine.infer("text", rows(4, within_s=0.05)))
            await asyncio.sleep(0.045)  # a watchdog's timer ends the call in the moment of its deadline
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        assert ledger.outcomes == ["deadline_exceeded"] * 3


async def test_a_name_that_is_unknown_leaves_the_other_servers_in_use(
    models: dict[str, ModelFolder], fake: FakeTriton
) -> None:
    async with serving(fake) as port:
        settings = Settings(engine="triton", triton_url=f"no-such-host.invalid:8001,127.0.0.1:{port}")
        engine = TritonEngine(models, settings, Ledger())
        await engine.start()
        try:
            assert (await engine.infer("text", rows(4)))[0, 0] == 7
        finally:
            await engine.close()


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


async def test_addresses_that_a_name_gains_and_loses_are_followed(
    models: dict[str, ModelFolder], fake: FakeTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = FakeTriton(models)
    async with serving(fake) as one, serving(other) as two:
        answers = {f"127.0.0.1:{one}"}

        async def resolve(place: object) -> set[str]:
            return set(answers)

        monkeypatch.setattr(engine_module, "resolve", resolve)
        monkeypatch.setattr(engine_module, "RESOLVE_S", 0.05)
        async with engine_for(models, one) as (engine, ledger):
            answers.add(f"127.0.0.1:{two}")
            async with asyncio.timeout(3):
                while not other.attempts:
                    await engine.infer("text", rows(4))
                    await asyncio.sleep(0.01)
            answers.discard(f"127.0.0.1:{one}")
            async with asyncio.timeout(3):
                while ledger.breakers[f"127.0.0.1:{one}"] is not None:
                    await asyncio.sleep(0.01)
            before = len(fake.attempts)
            await asyncio.gather(*(engine.infer("text", rows(4)) for _ in range(6)))
            assert len(fake.attempts) == before
