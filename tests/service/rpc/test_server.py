"""The gRPC server's life beside Uvicorn: health, drain, renewal of connections, both fronts under load."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.rpc.server import channel_arguments
from service.settings import load_settings
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import clip, encode_clip, encoded, picture
from tests.service.rpc.conftest import Generated
from tests.service.rpc.local import local_service
from tests.service.rpc.status import refused
from tests.service.waiting import until_async

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE = "onepeace.v1.OnePeaceService"
DRAIN_S, GRACE_S, BALANCER_S = 1.5, 10.0, 0.5


def asked(name: str = "") -> Any:
    return health_pb2.HealthCheckRequest(service=name)


async def watch(stub: Any, name: str, news: list[int]) -> None:
    async for answer in stub.Watch(asked(name)):
        news.append(answer.status)  # noqa: PERF401 (others look at the list meanwhile)


async def test_health_is_that_of_rest_before_and_after_the_models_are_loaded(generated: Generated) -> None:
    async with local_service(generated.stub, started=False) as local:
        health = health_pb2_grpc.HealthStub(local.channel)
        news: dict[str, list[int]] = {"": [], SERVICE: [], "unknown": []}
        watchers = [asyncio.create_task(watch(health, name, told)) for name, told in news.items()]
        leaving = asyncio.create_task(watch(health, "", []))
        await asyncio.sleep(0.2)
        leaving.cancel()  # who leaves must not silence the others
        assert (await health.Check(asked())).status == NOT_SERVING
        await local.runtime.start()
        await asyncio.sleep(0.2)
        local.engine.is_ready = False  # a shared Triton that is away later
        assert (await health.Check(asked(SERVICE))).status == SERVING
        local.runtime.drain()
        await asyncio.sleep(0.2)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health.Check(asked("unknown"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        await asyncio.wait_for(local.server.stop(), 2)
        await asyncio.gather(*watchers)
        assert news[""] == news[SERVICE] == [NOT_SERVING, SERVING, NOT_SERVING]
        assert news["unknown"] == [health_pb2.HealthCheckResponse.SERVICE_UNKNOWN]


async def test_many_watchers_ask_no_more_often_than_one(generated: Generated) -> None:
    async with local_service(generated.stub) as local:
        health = health_pb2_grpc.HealthStub(local.channel)
        news: list[list[int]] = [[] for _ in range(20)]
        watchers = [asyncio.create_task(watch(health, "", told)) for told in news]
        await until_async(lambda: all(news))
        before = local.engine.looks
        await asyncio.sleep(0.5)
        assert local.engine.looks - before <= 11
        local.runtime.drain()
        await until_async(lambda: all(told[-1] == NOT_SERVING for told in news))
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)


async def test_a_stop_is_the_last_news(generated: Generated) -> None:
    async with local_service(generated.stub) as local:
        news: list[int] = []
        watcher = asyncio.create_task(watch(health_pb2_grpc.HealthStub(local.channel), SERVICE, news))
        await until_async(lambda: bool(news))
        await asyncio.wait_for(local.server.stop(), 5)
        await watcher
        assert news == [SERVING, NOT_SERVING]


async def keep_asking(stub: Any, pb: Any, number: int, end: asyncio.Event, outcomes: list[Any]) -> None:
    item = [pb.Item(text="a cow"), pb.Item(image=picture(1, (640, 480), "JPEG")), pb.Item(audio=clip(1, 4.0))][
        number % 3
    ]
    while not end.is_set():
        try:
            outcomes.append(len((await stub.Embed(pb.EmbedRequest(inputs=[item]), timeout=30)).data))
        except grpc.aio.AioRpcError as error:
            outcomes.append(error.code())


async def test_sigterm_under_load_loses_no_call(generated: Generated, pb: Any) -> None:
    with live_server(REPOSITORY, drain_s=DRAIN_S, grace_s=GRACE_S) as server:
        outcomes: list[Any] = []
        end = asyncio.Event()
        async with grpc.aio.insecure_channel(server.grpc_address) as channel:
            stub, health = generated.stub(channel), health_pb2_grpc.HealthStub(channel)
            news: list[int] = []
            watcher = asyncio.create_task(watch(health, SERVICE, news))
            callers = [asyncio.create_task(keep_asking(stub, pb, i, end, outcomes)) for i in range(24)]
            async with asyncio.timeout(60):
                while len(outcomes) < len(callers):
                    await asyncio.sleep(0.02)
            before = len(outcomes)
            server.terminate()
            signalled = time.monotonic()
            while news[-1] == SERVING:
                await asyncio.sleep(0.005)
                assert time.monotonic() - signalled < 1.0
            await asyncio.sleep(BALANCER_S)  # a balancer takes a while to act on it; until then callers keep coming
            end.set()
            await asyncio.gather(*callers, watcher)
            while server.process.poll() is None:
                assert time.monotonic() - signalled < DRAIN_S + GRACE_S, "still running after its grace period"
                await asyncio.sleep(0.02)
        assert server.process.returncode == 0
        assert news == [SERVING, NOT_SERVING]
        assert len(outcomes) > before
        assert set(outcomes) == {1}


async def test_a_call_that_runs_when_the_drain_ends_is_answered(generated: Generated, pb: Any) -> None:
    silence = encode_clip(np.zeros(15 * 16_000, dtype=np.int16), form="FLAC")
    many = pb.EmbedRequest(inputs=[pb.Item(audio=silence)] * 120)
    with live_server(REPOSITORY, drain_s=0.0, grace_s=30.0) as server:
        async with grpc.aio.insecure_channel(server.grpc_address) as channel, httpx.AsyncClient() as client:
            call = asyncio.create_task(asyncio.wait_for(generated.stub(channel).Embed(many), 60))
            # The metrics request itself is in flight, too.
            while "onepeace_requests_in_flight 2.0" not in (await client.get(server.url + "/metrics")).text:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.05)
            server.terminate()
            assert len((await call).data) == 120
        assert await asyncio.to_thread(server.process.wait, 10) == 0


async def test_an_old_connection_is_renewed_without_a_failed_call(generated: Generated, pb: Any) -> None:
    """The client comes through a relay that counts its connections."""
    connections = 0
    ended = asyncio.Semaphore(0)
    with live_server(REPOSITORY, grpc_max_connection_age_s=0.3) as server:

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", server.grpc_port)
            await asyncio.gather(pour(reader, far_writer), pour(far_reader, writer))
            await asyncio.gather(writer.wait_closed(), far_writer.wait_closed())
            ended.release()

        listener = await asyncio.start_server(relay, "127.0.0.1", 0)
        host, port = listener.sockets[0].getsockname()
        async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
            stub = generated.stub(channel)

            async def ask() -> None:
                end = time.monotonic() + 3
                while time.monotonic() < end:
                    await stub.Embed(pb.EmbedRequest(inputs=[pb.Item(text="a cow")]), timeout=10)

            await asyncio.gather(*(ask() for _ in range(4)))
        listener.close()
        for _ in range(connections):
            await asyncio.wait_for(ended.acquire(), 10)
    assert connections >= 3, "the connection was never renewed"


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_both_fronts_answer_the_same_at_once(server: LiveServer, generated: Generated, pb: Any) -> None:
    async with (
        grpc.aio.insecure_channel(server.grpc_address) as channel,
        httpx.AsyncClient(base_url=server.url, timeout=60.0) as client,
    ):
        stub = generated.stub(channel)
        payloads = [("image", picture(i, (40 + i, 60))) if i % 2 else ("audio", clip(i, 1.0)) for i in range(60)]
        over_grpc = [stub.Embed(pb.EmbedRequest(inputs=[pb.Item(**{kind: data})])) for kind, data in payloads]
        over_rest = [client.post("/embed", json={"inputs": [{kind: encoded(data)}]}) for kind, data in payloads]
        messages, answers = await asyncio.gather(asyncio.gather(*over_grpc), asyncio.gather(*over_rest))
    for message, answer in zip(messages, answers, strict=True):
        vector = np.frombuffer(message.data[0].vector.float32, "<f4")
        np.testing.assert_allclose(vector, answer.json()["data"][0]["embedding"], atol=1e-5)


def serve(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service.cli", "serve", "--model-repository", str(REPOSITORY), "--port", "0"]
    return subprocess.run([*command, *flags], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("front", ["grpc_port", "port"])
def test_a_taken_port_ends_the_start_with_its_name(server: LiveServer, front: str) -> None:
    port = getattr(server, front)
    result = serve("--grpc-port", str(port))
    assert result.returncode == 2
    assert "ONEPEACE_GRPC_PORT" in result.stderr
    assert f"127.0.0.1:{port}" in result.stderr
    assert "Traceback" not in result.stderr


def test_port_0_turns_grpc_off() -> None:
    with live_server(REPOSITORY, grpc_port=0) as server:
        assert httpx.get(server.url + "/health/ready").status_code == 200
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", server.grpc_port)):
            pass


def test_a_flood_of_pings_ends_the_connection_and_no_other(server: LiveServer, stub: Any, pb: Any) -> None:
    with socket.create_connection(("127.0.0.1", server.grpc_port)) as connection:
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
        connection.sendall(preface + b"\0\0\x08\x06\0\0\0\0\0" + b"\0" * 8)
        connection.settimeout(10)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
                connection.sendall((b"\0\0\x08\x06\0\0\0\0\0" + b"\0" * 8) * 10)
        except ConnectionError:
            pass
        assert b"too_many_pings" in received
    assert stub.Info(pb.InfoRequest()).dimensions == 128


def test_connections_get_old_only_if_asked() -> None:
    names = {name for name, _ in channel_arguments(load_settings({}))}
    assert "grpc.max_connection_age_ms" not in names
    aged = dict(channel_arguments(load_settings({"grpc_max_connection_age_s": 1.5})))
    assert aged["grpc.max_connection_age_ms"] == 1500
    assert aged["grpc.max_connection_age_grace_ms"] > 3_600_000, "streams must not be cut"


def test_calls_beyond_the_metadata_limit_are_refused(stub: Any, pb: Any) -> None:
    error = refused(lambda: stub.Info(pb.InfoRequest(), metadata=(("long", "x" * 200_000),)))
    assert error.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL)
