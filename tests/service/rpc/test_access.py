"""Keys over gRPC, by a generated client that shares no code with the service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from service.errors import QueueFull
from service.rpc import embed_stream
from tests.repository import REPOSITORY
from tests.service.access.known_keys import bearer, table, token_of, write_keys
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import clip
from tests.service.rpc.conftest import Generated
from tests.service.rpc.local import local_service
from tests.service.rpc.status import details, refused
from tests.service.waiting import until_async

KEYS = (
    table("all", "a", '["embed", "similarity"]'),
    table("ground", "g", '["ground"]'),
    table("slow", "s", more="requests = { per_second = 0.01, burst = 1 }"),
    table("few", "f", more="items = { per_second = 0.01, burst = 2 }"),
)
UNARY = ("Embed", "Similarity", "Ground", "Classify", "AudioLabels", "Info")
HEALTH, REFLECTION = "/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


def sent(letter: str) -> tuple[tuple[str, str], ...]:
    return tuple(bearer(letter).items())


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    path = write_keys(tmp_path_factory.mktemp("keys") / "keys.toml", *KEYS)
    with live_server(REPOSITORY, api_keys_file=path) as running:
        yield running


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Health and reflection need a key, too; readiness must be asked with one, so nobody waits for it here."""
    path = write_keys(tmp_path_factory.mktemp("keys") / "keys.toml", *KEYS)
    with live_server(REPOSITORY, wait=False, api_keys_file=path, access_health="key", access_docs="key") as running:
        end = time.monotonic() + 60
        while True:
            assert time.monotonic() < end
            try:
                if httpx.get(running.url + "/health/ready", headers=bearer("a")).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        yield running


@pytest.fixture(scope="module")
def channel(guarded: LiveServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(guarded.grpc_address) as opened:
        yield opened


@pytest.fixture(scope="module")
def stub(generated: Generated, channel: grpc.Channel) -> Any:
    return generated.stub(channel)


def embed(pb: Any, count: int = 1) -> Any:
    return pb.EmbedRequest(inputs=[pb.Item(text=f"cow {place}") for place in range(count)])


def test_a_key_opens_what_its_scopes_name(stub: Any, pb: Any) -> None:
    assert len(stub.Embed(embed(pb), metadata=sent("a")).data) == 1
    assert stub.Info(pb.InfoRequest(), metadata=sent("g")).model == "one-peace"
    error = refused(lambda: stub.Embed(embed(pb), metadata=sent("g")))
    found = details(error, pb)
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert (found["problem"].code, found["info"].reason) == ("forbidden", "FORBIDDEN")


@pytest.mark.parametrize("method", UNARY)
def test_no_method_is_open(generated: Generated, stub: Any, pb: Any, method: str) -> None:
    request = getattr(pb, f"{method}Request")()
    for metadata in ((), sent("x")):
        error = refused(lambda metadata=metadata: getattr(stub, method)(request, metadata=metadata))
        found = details(error, pb)
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert found["problem"].code == "unauthenticated"
        assert found["request"].request_id


@pytest.mark.parametrize(
    "metadata",
    [
        (*sent("a"), *sent("a")),
        (*sent("a"), ("authorization", "Basic eDp5")),
        (("authorization", token_of("a")),),
        (("authorization", f"Bearer {token_of('a')},Bearer {token_of('a')}"),),
        (("authorization-bin", f"Bearer {token_of('a')}".encode()),),
        (("x-api-key", token_of("a")),),
        (("authorization", "Bearer op_" + "a" * 5000),),
        (("authorization", ""),),
    ],
    ids=lambda metadata: repr(metadata)[:60],
)
def test_what_is_not_exactly_one_key_is_refused(stub: Any, pb: Any, metadata: Any) -> None:
    error = refused(lambda: stub.Embed(embed(pb), metadata=metadata))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "aaa" not in (error.details() or "")


def test_a_stream_is_refused_before_a_message_is_read(stub: Any, pb: Any) -> None:
    read = []

    def messages() -> Iterator[Any]:
        for place in range(1000):
            read.append(place)
            yield pb.EmbedStreamRequest(items=[pb.StreamItem(item=pb.Item(text="a"))])
            time.sleep(0.01)

    for metadata, code in ((sent("x"), "UNAUTHENTICATED"), (sent("g"), "PERMISSION_DENIED")):
        read.clear()
        error = refused(lambda metadata=metadata: list(stub.EmbedStream(messages(), metadata=metadata)))
        assert error.code().name == code
        assert len(read) < 500


def test_a_call_without_a_message_is_refused_all_the_same(channel: grpc.Channel) -> None:
    call = channel.stream_unary("/onepeace.v1.OnePeaceService/Embed")
    assert refused(lambda: call(iter(()))).code() is grpc.StatusCode.UNAUTHENTICATED


def test_rates_are_exhausted_resources_with_a_time_to_come_again(stub: Any, pb: Any) -> None:
    stub.Embed(embed(pb), metadata=sent("s"))
    error = refused(lambda: stub.Embed(embed(pb), metadata=sent("s")))
    found = details(error, pb)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert found["problem"].code == "rate_limited"
    assert 90 <= found["retry"].retry_delay.seconds <= 100
    stub.Embed(embed(pb, 2), metadata=sent("f"))
    error = refused(lambda: stub.Embed(embed(pb, 1), metadata=sent("f")))
    assert details(error, pb)["problem"].code == "rate_limited"


def test_rates_are_the_same_bucket_over_both_wires(tmp_path: Path, generated: Generated, pb: Any) -> None:
    path = write_keys(tmp_path / "keys.toml", table("one", "o", more="requests = { per_second = 0.01, burst = 2 }"))
    with live_server(REPOSITORY, api_keys_file=path) as server, grpc.insecure_channel(server.grpc_address) as opened:
        stub = generated.stub(opened)
        stub.Info(pb.InfoRequest(), metadata=sent("o"))
        assert httpx.get(server.url + "/info", headers=bearer("o")).status_code == 200
        assert httpx.get(server.url + "/info", headers=bearer("o")).status_code == 429
        error = refused(lambda: stub.Info(pb.InfoRequest(), metadata=sent("o")))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_health_and_reflection_are_open_and_names_of_nothing_are_not(channel: grpc.Channel, pb: Any) -> None:
    assert health(channel, ()).status == health_pb2.HealthCheckResponse.SERVING
    assert len(reflect(channel, ())) == 1
    for method in ("/grpc.health.v1.Health/Else", "/nothing.Here/Does", "/onepeace.v1.OnePeaceService/No"):
        error = refused(lambda method=method: channel.unary_unary(method)(b""))
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert details(error, pb)["problem"].code == "unauthenticated"
        error = refused(lambda method=method: channel.unary_unary(method)(b"", metadata=sent("a")))
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_health_and_reflection_can_need_a_key(closed: LiveServer, pb: Any) -> None:
    with grpc.insecure_channel(closed.grpc_address) as opened:
        assert health(opened, sent("g")).status == health_pb2.HealthCheckResponse.SERVING
        assert len(reflect(opened, sent("g"))) == 1
        for ask in (health, reflect):
            error = refused(lambda ask=ask: ask(opened, ()))
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED
            assert details(error, pb)["problem"].code == "unauthenticated"
    for path in ("/health/live", "/docs", "/openapi.json"):
        assert httpx.get(closed.url + path).status_code == 401


def test_documents_can_be_off() -> None:
    with live_server(REPOSITORY, access_docs="off") as server:
        for path in ("/docs", "/docs/page.js", "/openapi.json"):
            assert httpx.get(server.url + path).status_code == 404
        with grpc.insecure_channel(server.grpc_address) as opened:
            assert refused(lambda: reflect(opened, ())).code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_stream_whose_items_are_rated_goes_on_at_its_rate(
    tmp_path: Path,
    generated: Generated,
    pb: Any,
) -> None:
    path = write_keys(tmp_path / "keys.toml", table("a", "a", more="items = { per_second = 20, burst = 1 }"))
    async with local_service(generated.stub, api_keys_file=path) as local:
        local.engine.gate.set()
        started = time.monotonic()
        messages = [pb.EmbedStreamRequest(items=[pb.StreamItem(item=pb.Item(text=f"t{place}"))]) for place in range(11)]
        answers = [answer async for answer in local.stub.EmbedStream(iter(messages), metadata=sent("a"))]
        assert len(answers) == 11
        assert not any(answer.embedding.HasField("error") for answer in answers)
        assert 0.45 < time.monotonic() - started < 10  # ten items had to wait for 50 ms each


async def test_a_slow_stream_holds_no_room_that_others_wait_for(tmp_path: Path, generated: Generated, pb: Any) -> None:
    slow = table("slow", "s", more="items = { per_second = 0.01, burst = 2 }")
    path = write_keys(tmp_path / "keys.toml", slow, table("fast", "f"))
    texts = [pb.StreamItem(item=pb.Item(text="moo " * 20 + str(place))) for place in range(5)]
    message = pb.EmbedStreamRequest(items=texts)
    async with local_service(generated.stub, api_keys_file=path) as local:
        local.engine.gate.set()
        calls = {letter: local.stub.EmbedStream(metadata=sent(letter)) for letter in "sf"}
        for call in calls.values():
            for _ in range(2):
                await call.write(message)
        assert not any([(await calls["s"].read()).embedding.HasField("error") for _ in texts])
        assert not any([(await calls["f"].read()).embedding.HasField("error") for _ in texts * 2])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await calls["s"].read()
        assert (local.runtime.admission.bytes, local.runtime.admission.items) == (0, 0)


async def test_a_clip_of_more_windows_than_the_burst_is_answered_in_a_stream(
    tmp_path: Path, generated: Generated, pb: Any
) -> None:
    path = write_keys(tmp_path / "keys.toml", table("a", "a", more="items = { per_second = 0.01, burst = 3 }"))
    options = pb.EmbedOptions(windows=pb.Windows(seconds=2))
    item = pb.StreamItem(item=pb.Item(audio=clip(7, 20.0)))
    async with local_service(generated.stub, api_keys_file=path, deadline_ms=5000) as local:
        local.engine.gate.set()
        call = local.stub.EmbedStream(metadata=sent("a"))
        await call.write(pb.EmbedStreamRequest(options=options, items=[item]))
        async with asyncio.timeout(10):
            answer = await call.read()
        assert not answer.embedding.HasField("error")
        assert len(answer.embedding.windows) == 10


async def test_an_item_that_a_full_engine_sends_back_is_charged_once(
    tmp_path: Path, generated: Generated, pb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed_stream, "ENGINE_RETRY_S", 0.01)
    path = write_keys(tmp_path / "keys.toml", table("a", "a", more="items = { per_second = 0.01, burst = 3 }"))
    async with local_service(generated.stub, api_keys_file=path) as local:
        local.engine.gate.set()
        local.engine.failure = lambda: QueueFull("the engine's queue is full")
        call = local.stub.EmbedStream(metadata=sent("a"))
        await call.write(pb.EmbedStreamRequest(items=[pb.StreamItem(item=pb.Item(text="a"))]))
        await until_async(lambda: len(local.engine.due_s) == 3)
        local.engine.failure = None
        assert not (await call.read()).embedding.HasField("error")
        await call.done_writing()
        await local.stub.Embed(embed(pb, 2), metadata=sent("a"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await local.stub.Embed(embed(pb, 1), metadata=sent("a"))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_stream_meets_the_end_of_its_key(tmp_path: Path, generated: Generated, pb: Any) -> None:
    path = write_keys(tmp_path / "keys.toml", table("a", "a"))
    async with local_service(generated.stub, api_keys_file=path) as local:
        local.engine.gate.set()
        assert local.runtime.gate is not None
        call = local.stub.EmbedStream(metadata=sent("a"))
        message = pb.EmbedStreamRequest(items=[pb.StreamItem(item=pb.Item(text="a"))])
        await call.write(message)
        assert not (await call.read()).embedding.HasField("error")
        write_keys(path, table("b", "b"))
        local.runtime.gate.load()
        await call.write(message)
        assert (await call.read()).embedding.error.code == "unauthenticated"
        await call.done_writing()


def health(channel: grpc.Channel, metadata: Any) -> Any:
    call = channel.unary_unary(
        HEALTH + "Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    return call(health_pb2.HealthCheckRequest(), metadata=metadata)


def reflect(channel: grpc.Channel, metadata: Any) -> list[Any]:
    call = channel.stream_stream(
        REFLECTION,
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    return list(call(iter([request]), metadata=metadata))
