"""Messages on their way in: bounded in memory, in turn, and no slow one keeps others out."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import grpc
import pytest

from service.errors import QueueFull, ServiceError
from service.rpc.intake import MIN_PLACES, Intake
from service.settings import load_settings
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.rpc.conftest import Generated
from tests.service.rpc.local import local_service
from tests.service.rpc.status import details
from tests.service.test_bad_input import MIB
from tests.service.waiting import until_async

CALLS, MESSAGE_BYTES = 48, 15 * MIB
LIMITS = {"max_body_bytes": 16 * MIB, "max_pending_bytes": 16 * MIB}


def highest_memory(server: LiveServer, end: threading.Event) -> int:
    most = 0
    while not end.is_set():
        most = max(most, server.resident_bytes())
        time.sleep(0.005)
    return most


async def test_many_large_messages_at_once_take_no_more_memory_than_a_few(generated: Generated, pb: Any) -> None:
    request = pb.EmbedRequest(inputs=[pb.Item(image=b"x" * MESSAGE_BYTES)])
    with live_server(REPOSITORY, **LIMITS) as server:
        async with grpc.aio.insecure_channel(server.grpc_address) as channel:
            stub = generated.stub(channel)
            await asyncio.gather(stub.Embed(request), return_exceptions=True)
            before, end = server.resident_bytes(), threading.Event()
            watching = asyncio.get_running_loop().run_in_executor(None, highest_memory, server, end)
            outcomes = await asyncio.gather(*(stub.Embed(request) for _ in range(CALLS)), return_exceptions=True)
            end.set()
            grown = await watching - before
            codes = {details(error, pb)["problem"].code for error in outcomes}  # type: ignore[arg-type]
            assert codes <= {"unreadable_image", "queue_full"}
            assert grown < 256 * MIB, "all of them are 720 MiB"
            await stub.Embed(pb.EmbedRequest(inputs=[pb.Item(text="a cow")]), timeout=10)


async def test_more_streams_than_places_are_refused_and_come_later(generated: Generated, pb: Any) -> None:
    async with local_service(generated.stub, **LIMITS) as local:
        item = pb.EmbedStreamRequest(items=[pb.StreamItem(id="a", item=pb.Item(text="x"))])
        streams = [local.stub.EmbedStream(timeout=20) for _ in range(MIN_PLACES)]
        for stream in streams:
            await stream.write(item)
            assert (await stream.read()).id == "a"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await local.stub.EmbedStream(timeout=20).read()
        found = details(caught.value, pb)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (found["problem"].code, found["problem"].errors[0].limit) == ("queue_full", MIN_PLACES)
        assert found["retry"].retry_delay.seconds == 1
        await streams[0].done_writing()
        assert await streams[0].read() is grpc.aio.EOF
        late = local.stub.EmbedStream(iter([item]), timeout=20)
        assert [answer.id async for answer in late] == ["a"]


async def test_idle_streams_do_not_keep_others_out(generated: Generated, pb: Any) -> None:
    async with local_service(generated.stub, **LIMITS, read_timeout_ms=1000) as local:
        idle = [local.stub.EmbedStream(timeout=20) for _ in range(MIN_PLACES)]
        await asyncio.gather(*(stream.initial_metadata() for stream in idle))
        item = pb.EmbedStreamRequest(items=[pb.StreamItem(id="a", item=pb.Item(text="x"))])
        await idle[0].write(item)
        assert (await idle[0].read()).id == "a"
        with pytest.raises(grpc.aio.AioRpcError) as early:
            await local.stub.EmbedStream(timeout=20).read()
        assert details(early.value, pb)["problem"].code == "queue_full"
        await asyncio.sleep(1.1)
        await idle[0].write(item)  # the one that works on keeps its place
        assert (await idle[0].read()).id == "a"
        for _ in range(MIN_PLACES - 1):
            new = local.stub.EmbedStream(timeout=20)
            await new.write(item)
            assert (await new.read()).id == "a"
        for stream in idle[1:]:
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await stream.read()
            assert ended.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert details(ended.value, pb)["retry"].retry_delay.seconds == 1
        await idle[0].write(item)
        assert (await idle[0].read()).id == "a"


async def test_a_stream_whose_item_is_under_way_keeps_its_place(generated: Generated, pb: Any) -> None:
    async with local_service(generated.stub, **LIMITS, read_timeout_ms=500) as local:
        local.engine.gate.clear()
        item = pb.EmbedStreamRequest(items=[pb.StreamItem(id="a", item=pb.Item(text="x"))])
        streams = [local.stub.EmbedStream(timeout=20) for _ in range(MIN_PLACES)]
        for stream in streams:
            await stream.write(item)
        await until_async(lambda: local.runtime.admission.items == MIN_PLACES)
        await asyncio.sleep(0.6)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await local.stub.EmbedStream(timeout=20).read()
        assert details(refused.value, pb)["problem"].code == "queue_full"
        local.engine.gate.set()
        assert [(await stream.read()).id for stream in streams] == ["a"] * MIN_PLACES


async def test_calls_are_answered_while_streams_are_idle(generated: Generated, pb: Any) -> None:
    async with local_service(generated.stub, **LIMITS) as local:
        for _ in range(MIN_PLACES):
            await local.stub.EmbedStream(timeout=20).write(pb.EmbedStreamRequest())
        for _ in range(2 * MIN_PLACES):
            await local.stub.Embed(pb.EmbedRequest(inputs=[pb.Item(text="x")]), timeout=10)


async def test_the_slowest_message_gives_its_place_to_who_waits_too_long() -> None:
    intake = Intake(load_settings(LIMITS), patience_s=0.05)
    ended: list[int] = []

    async def arrive(number: int) -> None:
        task = asyncio.current_task()
        assert task is not None

        def give_up(error: ServiceError) -> None:
            assert isinstance(error, QueueFull)
            ended.append(number)
            task.cancel()

        async with intake.message(give_up):
            await asyncio.sleep(30)

    slow = []
    for number in range(MIN_PLACES):
        slow.append(asyncio.create_task(arrive(number)))
        await asyncio.sleep(0.01)
    async with asyncio.timeout(10), intake.message(lambda _: None):
        assert ended == [0], "the one that has been arriving longest"
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    async with asyncio.timeout(10), intake.message(lambda _: None):
        pass


def test_as_many_messages_arrive_as_fit_into_the_bytes_at_work() -> None:
    assert Intake(load_settings({})).places == 512 // 32
    assert Intake(load_settings(LIMITS)).places == MIN_PLACES
