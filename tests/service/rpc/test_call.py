"""What every call gets: deadlines that reach the engine, cancellation, the books, errors of the engine."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest

from service.errors import EngineFailure, EngineUnavailable
from tests.repository import REPOSITORY
from tests.service.rpc.conftest import Generated
from tests.service.rpc.local import local_service
from tests.service.rpc.status import details
from tests.service.waiting import until_async

LATE_S = 0.5  # a crowded machine may wake up late; never early


async def failed(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def cow(pb: Any, count: int = 1) -> Any:
    return pb.EmbedRequest(inputs=[pb.Item(text="a cow")] * count)


async def test_a_clients_deadline_reaches_the_engine_and_frees_the_queue(generated: Generated, pb: Any) -> None:
    async with local_service(generated.stub) as local:
        local.engine.gate.clear()
        first = local.stub.Embed(cow(pb), timeout=20)
        await asyncio.wait_for(local.engine.entered.wait(), 10)
        assert 15 < local.engine.due_s[0] < 21, "the earlier of the client's deadline and ours"
        slots = len(local.engine.due_s)
        started = time.monotonic()
        hasty = asyncio.create_task(failed(local.stub.Embed(cow(pb, 5), timeout=0.1)))
        await until_async(lambda: local.waiting() == 5)
        error = await hasty
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert 0.1 <= time.monotonic() - started < 0.1 + LATE_S
        await until_async(lambda: local.waiting() == 0 and local.in_flight() == 1)
        assert local.runtime.admission.items == 1
        local.engine.gate.set()
        assert len((await first).data) == 1
        assert sum(local.engine.batches) == slots, "rows whose caller had gone were run"
        status = 'onepeace_requests_total{endpoint="/onepeace.v1.OnePeaceService/Embed",status="504"} 1.0'
        assert status in local.runtime.metrics.render()[0].decode()


@pytest.mark.parametrize("deadline_ms", [1, 30, 150])
async def test_our_deadline_holds_to_the_millisecond(generated: Generated, pb: Any, deadline_ms: int) -> None:
    async with local_service(generated.stub, deadline_ms=deadline_ms) as local:
        await local.channel.channel_ready()
        local.engine.gate.clear()
        started = time.monotonic()
        error = await failed(local.stub.Embed(cow(pb), timeout=20))
        elapsed_s = time.monotonic() - started
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        problem = details(error, pb)["problem"]
        assert (problem.code, problem.errors[0].limit) == ("deadline_exceeded", deadline_ms)
        assert 0 <= elapsed_s - deadline_ms / 1000 < LATE_S
        await until_async(lambda: local.in_flight() == 0)
        assert (local.runtime.admission.items, local.runtime.admission.bytes) == (0, 0)


async def test_a_cancelled_call_frees_its_place(generated: Generated, pb: Any) -> None:
    async with local_service(generated.stub) as local:
        local.engine.gate.clear()
        call = local.stub.Embed(cow(pb, 5))
        other = local.stub.Embed(cow(pb, 3))
        await until_async(lambda: local.in_flight() == 2)
        call.cancel()
        await until_async(lambda: local.in_flight() == 1)
        assert local.runtime.admission.items == 3
        local.engine.gate.set()
        assert len((await other).data) == 3


async def test_a_stream_has_the_clients_deadline_and_each_item_ours(generated: Generated, pb: Any) -> None:
    async with local_service(generated.stub, deadline_ms=100) as local:
        local.engine.gate.clear()
        call = local.stub.EmbedStream(timeout=20)
        await call.write(pb.EmbedStreamRequest(items=[pb.StreamItem(id="late", item=pb.Item(text="x"))]))
        answer = await call.read()
        assert (answer.embedding.error.code, answer.embedding.modality) == ("deadline_exceeded", "text")
        local.engine.gate.set()
        await call.write(pb.EmbedStreamRequest(items=[pb.StreamItem(id="well", item=pb.Item(text="x"))]))
        assert (await call.read()).embedding.HasField("vector")
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        local.engine.gate.clear()
        hasty = local.stub.EmbedStream(timeout=0.05)
        await hasty.write(pb.EmbedStreamRequest(items=[pb.StreamItem(id="x", item=pb.Item(text="x"))]))
        assert (await failed(hasty.read())).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await until_async(lambda: local.in_flight() == 0 and local.waiting() == 0)


@pytest.mark.parametrize(
    ("failure", "code", "word"),
    [
        (EngineFailure("the model failed"), grpc.StatusCode.INTERNAL, "engine_failure"),
        (EngineUnavailable("the engine is away"), grpc.StatusCode.UNAVAILABLE, "engine_unavailable"),
        (RuntimeError("secret /path"), grpc.StatusCode.INTERNAL, "internal_error"),
    ],
)
async def test_an_engine_that_fails_is_told_without_its_secrets(
    generated: Generated, pb: Any, failure: Exception, code: grpc.StatusCode, word: str
) -> None:
    async with local_service(generated.stub) as local:
        local.engine.failure = lambda: failure
        error = await failed(local.stub.Embed(cow(pb), timeout=20))
        assert error.code() is code
        found = details(error, pb)
        assert found["problem"].code == word
        assert "secret" not in str(error)
        assert ("retry" in found) == (word == "engine_unavailable")
        assert f'onepeace_errors_total{{code="{word}"}} 1.0' in local.runtime.metrics.render()[0].decode()
        call = local.stub.EmbedStream(
            iter([pb.EmbedStreamRequest(items=[pb.StreamItem(id="a", item=pb.Item(text="x"))])]), timeout=20
        )
        answers = [answer async for answer in call]
        assert [answer.embedding.error.code for answer in answers] == [word]


async def test_while_models_are_loaded_calls_are_told_so_and_info_answers(generated: Generated, pb: Any) -> None:
    async with local_service(generated.stub, started=False) as local:
        for call in (local.stub.Embed(cow(pb)), local.stub.EmbedStream(iter([pb.EmbedStreamRequest()])).read()):
            error = await failed(call)
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert details(error, pb)["problem"].code == "not_ready"
        assert (await local.stub.Info(pb.InfoRequest())).dimensions == 128


async def test_a_model_that_is_not_there_is_not_found(generated: Generated, pb: Any, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "text", tmp_path / "text")
    async with local_service(generated.stub, repository=tmp_path) as local:
        for call in (
            local.stub.Ground(pb.GroundRequest(image=b"x", phrases=["x"])),
            local.stub.Embed(pb.EmbedRequest(inputs=[pb.Item(image=b"x")])),
            local.stub.AudioLabels(pb.AudioLabelsRequest(audio=b"x")),
        ):
            error = await failed(call)
            assert error.code() is grpc.StatusCode.NOT_FOUND
            assert details(error, pb)["problem"].code == "model_not_served"


async def test_at_the_end_of_the_grace_period_calls_are_told_so(generated: Generated, pb: Any) -> None:
    async with local_service(generated.stub, grace_s=0.3) as local:
        local.engine.gate.clear()
        call = asyncio.create_task(failed(local.stub.Embed(cow(pb), timeout=20)))
        await until_async(lambda: local.in_flight() == 1)
        started = time.monotonic()
        await local.server.stop()
        assert 0.3 <= time.monotonic() - started < 0.3 + 2 * LATE_S
        error = await call
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert details(error, pb)["problem"].code == "not_ready"


async def test_a_stop_ends_streams_once_what_they_sent_is_answered(generated: Generated, pb: Any) -> None:
    async with local_service(generated.stub, grace_s=10.0) as local:
        call = local.stub.EmbedStream(timeout=20)
        local.engine.gate.clear()
        items = [pb.StreamItem(id=str(i), item=pb.Item(text="x")) for i in range(5)]
        await call.write(pb.EmbedStreamRequest(items=items))
        await until_async(lambda: local.runtime.admission.items == 5)
        stop = local.server.stop()
        await asyncio.sleep(0.1)
        local.engine.gate.set()
        assert sorted([(await call.read()).id for _ in range(5)]) == list("01234")
        error = await failed(call.read())
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        await asyncio.wait_for(stop, 2)


async def test_a_client_that_leaves_its_stream_is_no_fault_of_ours(
    generated: Generated, pb: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Many leave while answers are written, so that some writes fail."""
    async with local_service(generated.stub) as local:
        items = [pb.StreamItem(id=str(i), item=pb.Item(text="a cow")) for i in range(64)]
        for _ in range(60):
            call = local.stub.EmbedStream(iter([pb.EmbedStreamRequest(items=items)]))
            await call.read()
            call.cancel()
        await until_async(lambda: local.in_flight() == 0)
        metrics = local.runtime.metrics.render()[0].decode()
    ended = re.findall(r'onepeace_requests_total{endpoint="[/.\w]+/EmbedStream",status="(\d+)"} (\d+)', metrics)
    counts = {status: int(count) for status, count in ended}
    assert counts.pop("499") + counts.pop("200", 0) == 60  # the last item may be out before the caller's leaving is in
    assert not counts
    assert not [record for record in caplog.records if record.exc_info]
