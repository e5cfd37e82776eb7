"""Items of a stream and their places: they wait without working, end when they never fit, and let others go first."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import grpc
import numpy as np
import pytest

from service.context import RequestContext
from tests.service.media_files import clip, encode_clip
from tests.service.rpc.conftest import Generated
from tests.service.rpc.local import Local, local_service
from tests.service.rpc.status import details
from tests.service.test_bad_input import MIB
from tests.service.waiting import until_async

LONG_TEXT = "many more words than any of the others has, " * 4


def message(pb: Any, *items: Any, **options: Any) -> Any:
    named = [pb.StreamItem(id=str(place), item=item) for place, item in enumerate(items)]
    return pb.EmbedStreamRequest(items=named, options=pb.EmbedOptions(**options) if options else None)


async def ended(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in call:
            pass
    return caught.value


def crowded(local: Local, items: int) -> RequestContext:
    """Somebody who holds so many places."""
    other = RequestContext("other", {}, 0.0)
    local.runtime.admission.take(other, items=items)
    return other


async def test_a_place_may_be_waited_for_longer_than_the_deadline(generated: Generated, pb: Any) -> None:
    async with local_service(generated.stub, max_queue=1, max_items=1, deadline_ms=100) as local:
        other = crowded(local, 1)
        call = local.stub.EmbedStream(iter([message(pb, pb.Item(text="x"))]), timeout=20)
        reading = asyncio.create_task(call.read())
        await asyncio.sleep(0.5)
        assert not reading.done()
        local.runtime.admission.release(other)
        assert (await asyncio.wait_for(reading, 10)).embedding.HasField("vector")


async def test_who_waits_for_the_windows_of_a_clip_holds_nothing_and_has_not_decoded_it(
    generated: Generated, pb: Any
) -> None:
    sound = clip(1, 10.0)
    async with local_service(generated.stub, max_queue=8, max_items=8) as local:
        other = crowded(local, 5)  # there is a place for the clip, and none for four more windows
        request = message(pb, pb.Item(audio=sound), windows=pb.Windows(seconds=2))
        call = local.stub.EmbedStream(iter([request]), timeout=20)
        reading = asyncio.create_task(call.read())
        await until_async(lambda: local.runtime.admission.bytes >= len(sound))
        await asyncio.sleep(0.3)
        assert not reading.done()
        assert local.runtime.admission.items == 5
        assert local.runtime.admission.bytes == request.ByteSize(), "its message is all that is held"
        local.runtime.admission.release(other)
        answer = await asyncio.wait_for(reading, 10)
        assert len(answer.embedding.windows) == 5
        await until_async(lambda: (local.runtime.admission.items, local.runtime.admission.bytes) == (0, 0))


async def test_many_clips_whose_windows_fill_the_queue_are_all_answered(generated: Generated, pb: Any) -> None:
    """Each takes one place and then wants five more of six."""
    items = [pb.Item(audio=clip(number, 12.0)) for number in range(12)]
    requests = [message(pb, item, windows=pb.Windows(seconds=2)) for item in items]
    async with local_service(generated.stub, max_queue=6, max_items=6) as local:
        answers = [answer async for answer in local.stub.EmbedStream(iter(requests), timeout=60)]
        assert [len(answer.embedding.windows) for answer in answers] == [6] * 12


async def test_an_item_that_never_fits_gets_its_error_at_once(generated: Generated, pb: Any) -> None:
    silence = encode_clip(np.zeros(600 * 16_000, dtype=np.int16), form="FLAC")
    limits = {"max_pending_bytes": 64 * MIB, "max_body_bytes": 8 * MIB}
    async with local_service(generated.stub, **limits) as local:
        request = message(pb, pb.Item(audio=silence), pb.Item(text="x"), windows=pb.Windows(seconds=10, hop=5))
        answers = {answer.id: answer async for answer in local.stub.EmbedStream(iter([request]), timeout=20)}
        error = answers["0"].embedding.error
        assert (error.code, error.limit) == ("too_many_items", 64 * MIB)
        assert error.actual > 64 * MIB
        assert answers["1"].embedding.HasField("vector")


@pytest.mark.parametrize(
    ("options", "pointer", "limit"),
    [
        ({"dimensions": 7}, "/dimensions", 128),
        ({"windows": {"seconds": 20}}, "/windows/seconds", 15),
        ({"windows": {"seconds": 2, "hop": 3}}, "/windows/hop", 2),
        ({"windows": {}}, "/windows/seconds", None),
    ],
)
async def test_wrong_options_end_the_stream_as_they_end_a_request(
    generated: Generated, pb: Any, options: dict[str, Any], pointer: str, limit: float | None
) -> None:
    async with local_service(generated.stub) as local:
        for items in ([], [pb.Item(text="x")]):
            error = await ended(local.stub.EmbedStream(iter([message(pb, *items, **options)]), timeout=20))
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            problem = details(error, pb)["problem"]
            (wrong,) = problem.errors
            assert (problem.code, wrong.code, wrong.pointer) == ("invalid_field", "invalid_field", pointer)
            assert (wrong.limit if wrong.HasField("limit") else None) == limit


async def test_items_of_streams_let_a_request_go_first(generated: Generated, pb: Any) -> None:
    async with local_service(generated.stub) as local:
        local.engine.gate.clear()
        first = local.stub.Embed(pb.EmbedRequest(inputs=[pb.Item(text="x")]), timeout=20)
        await asyncio.wait_for(local.engine.entered.wait(), 10)
        items = [pb.Item(text="x") for _ in range(20)]
        stream = local.stub.EmbedStream(iter([message(pb, *items)]), timeout=20)
        await until_async(lambda: local.waiting() == 20)
        person = local.stub.Embed(pb.EmbedRequest(inputs=[pb.Item(text=LONG_TEXT)]), timeout=20)
        await until_async(lambda: local.waiting() == 21)
        local.engine.gate.set()
        await asyncio.gather(first, person)
        assert len([answer async for answer in stream]) == 20
        rows = [shapes["tokens"][0] for shapes in local.engine.shapes]
        assert rows == [1, 1, 20], "the person's row came last and ran before those of the stream"


async def test_a_streams_items_are_timed_and_their_errors_counted(generated: Generated, pb: Any) -> None:
    async with local_service(generated.stub) as local:
        items = [pb.Item(text="x"), pb.Item(image=b"none"), pb.Item(audio=clip(1))]
        call = local.stub.EmbedStream(iter([message(pb, *items)]), timeout=20)
        assert len([answer async for answer in call]) == 3
        trailers = dict(await call.trailing_metadata())
        assert {part.split(";")[0] for part in trailers["server-timing"].split(", ")} >= {"decode", "infer"}
        metrics = local.runtime.metrics.render()[0].decode()
        assert 'onepeace_stream_item_errors_total{code="unreadable_image"} 1.0' in metrics
        assert 'onepeace_errors_total{code="unreadable_image"} 0.0' in metrics, "the stream is the request"
        runs = re.findall(r'onepeace_stage_duration_seconds_count\{stage="infer"\} ([0-9.]+)', metrics)
        assert runs == ["2.0"], "once for each item that ran"
