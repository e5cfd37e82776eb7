"""Streams against scripted servers: broken connections, silence, other models."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from onepeace_client import DeadlineExceeded, EngineFailure, Options, ProtocolError, QueueFull, RetryPolicy, Unavailable
from onepeace_client.generated import onepeace_pb2 as pb
from service import errors as server_errors
from tests.client.callers import Caller
from tests.client.scripted_server import Answer, problem, scripted_server, vectors
from tests.client.test_grpc_errors import fail
from tests.client.test_retries import FAST

Answers = Iterator[pb.EmbedStreamResponse]
Behaviour = Callable[[int, Iterator[pb.EmbedStreamRequest], grpc.ServicerContext], Answers]
BOTH = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


def answer(request: pb.EmbedStreamRequest, fingerprint: str = "f") -> pb.EmbedStreamResponse:
    """The vector [number of the text]."""
    (item,) = request.items
    vector = pb.Vector(float32=struct.pack("<f", float(item.item.text)))
    return pb.EmbedStreamResponse(
        id=item.id, model="m", fingerprint=fingerprint, dimensions=1, embedding=pb.Embedding(vector=vector)
    )


@contextmanager
def scripted_stream(behave: Behaviour) -> Iterator[tuple[str, list[str]]]:
    """A server's address, and the texts that it reads."""
    calls, texts = iter(range(1000)), []

    def stream(requests: Iterator[pb.EmbedStreamRequest], context: grpc.ServicerContext) -> Answers:
        def noted() -> Iterator[pb.EmbedStreamRequest]:
            for request in requests:
                texts.append(request.items[0].item.text)
                yield request

        yield from behave(next(calls), noted(), context)

    def info(request: bytes, context: grpc.ServicerContext) -> bytes:
        limits = pb.Limits(max_items=4, max_body_bytes=100_000)
        return pb.InfoResponse(model="m", fingerprint="f", dimensions=1, limits=limits).SerializeToString()

    handlers = {
        "EmbedStream": grpc.stream_stream_rpc_method_handler(
            stream, pb.EmbedStreamRequest.FromString, pb.EmbedStreamResponse.SerializeToString
        ),
        "Info": grpc.unary_unary_rpc_method_handler(info),
    }
    service = grpc.method_handlers_generic_handler("onepeace.v1.OnePeaceService", handlers)
    server = grpc.server(ThreadPoolExecutor(4), handlers=(service,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}", texts
    finally:
        server.stop(0).wait()


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


@BOTH
async def test_a_broken_stream_goes_on_with_what_was_not_answered(is_async: bool) -> None:
    def behave(call: int, requests: Iterator[pb.EmbedStreamRequest], context: grpc.ServicerContext) -> Answers:
        for place, request in enumerate(requests):
            if place == 5 and call < 3:
                fail(context, server_errors.NotReady("stopping"))
            yield answer(request)

    with scripted_stream(behave) as (url, texts):
        given = await Caller(url, is_async, FAST).stream(numbers(150))
    assert [one.vector.tolist() for one in given] == [[float(number)] for number in range(150)]
    assert {text: texts.count(text) for text in numbers(5)} == dict.fromkeys(numbers(5), 1)
    assert texts.count("5") == 2


@BOTH
async def test_answers_in_another_order_are_put_in_order(is_async: bool) -> None:
    def behave(call: int, requests: Iterator[pb.EmbedStreamRequest], context: grpc.ServicerContext) -> Answers:
        held: list[pb.EmbedStreamRequest] = []
        for request in requests:
            held.append(request)
            if len(held) == 8:
                yield from map(answer, reversed(held))
                held.clear()
        yield from map(answer, reversed(held))

    with scripted_stream(behave) as (url, _):
        given = await Caller(url, is_async, FAST).stream(numbers(101))
    assert [one.vector.tolist() for one in given] == [[float(number)] for number in range(101)]


@BOTH
async def test_attempts_end_with_the_servers_own_error(is_async: bool) -> None:
    def behave(call: int, requests: Iterator[pb.EmbedStreamRequest], context: grpc.ServicerContext) -> Answers:
        if call == 0:
            yield answer(next(requests))
        fail(context, server_errors.EngineUnavailable("away"))

    options = Options(retries=RetryPolicy(attempts=2, first_wait_s=0.001, longest_wait_s=0.002))
    with scripted_stream(behave) as (url, texts):
        given, error = await Caller(url, is_async, options).stream_until_error(numbers(10))
    assert [one.index for one in given] == [0]
    assert isinstance(error, Unavailable)
    assert texts[0] == "0"


@BOTH
async def test_a_silent_stream_is_left_after_the_timeout(is_async: bool) -> None:
    def behave(call: int, requests: Iterator[pb.EmbedStreamRequest], context: grpc.ServicerContext) -> Answers:
        yield answer(next(requests))
        while context.is_active():
            time.sleep(0.01)

    with scripted_stream(behave) as (url, _):
        started = time.monotonic()
        given, error = await Caller(url, is_async, Options(timeout_s=0.4)).stream_until_error(numbers(10))
        assert 0.35 < time.monotonic() - started < 4.0
    assert [one.index for one in given] == [0]
    assert isinstance(error, DeadlineExceeded)
    assert error.status is None


@BOTH
async def test_an_error_without_a_place_gets_its_items(is_async: bool) -> None:
    def behave(call: int, requests: Iterator[pb.EmbedStreamRequest], context: grpc.ServicerContext) -> Answers:
        for request in requests:
            answered = answer(request)
            if request.items[0].id == "2":
                answered.embedding.error.CopyFrom(pb.ItemError(code="engine_failure", detail="the model failed"))
            yield answered

    with scripted_stream(behave) as (url, _):
        given = await Caller(url, is_async, FAST).stream(numbers(5), on_error="report")
        _, error = await Caller(url, is_async, FAST).stream_until_error(numbers(5))
    assert [one.error and (one.error.code, one.error.index) for one in given] == [
        *[None] * 2,
        ("engine_failure", 2),
        *[None] * 2,
    ]
    assert isinstance(error, EngineFailure)
    assert (error.status, error.errors[0].index) == (500, 2)


@BOTH
async def test_vectors_of_two_models_are_not_mixed_in_a_stream(is_async: bool) -> None:
    def behave(call: int, requests: Iterator[pb.EmbedStreamRequest], context: grpc.ServicerContext) -> Answers:
        for request in requests:
            yield answer(request, "f" if float(request.items[0].item.text) < 3 else "g")

    with scripted_stream(behave) as (url, _):
        given, error = await Caller(url, is_async, FAST).stream_until_error(numbers(10))
    assert len(given) == 3
    assert isinstance(error, ProtocolError)


@BOTH
async def test_answers_that_are_none_of_this_api_end_a_stream(is_async: bool) -> None:
    def behave(call: int, requests: Iterator[pb.EmbedStreamRequest], context: grpc.ServicerContext) -> Answers:
        yield pb.EmbedStreamResponse(id="no number")

    with scripted_stream(behave) as (url, _):
        given, error = await Caller(url, is_async, FAST).stream_until_error(numbers(3))
    assert given == []
    assert isinstance(error, ProtocolError)


@BOTH
async def test_over_http_a_busy_server_is_asked_again(is_async: bool) -> None:
    def script(number: int, body: bytes) -> Answer:
        return problem(429, "queue_full") if number % 3 == 1 else vectors(body)

    with scripted_server(script) as server:
        given = await Caller(server.url, is_async, FAST).stream(numbers(30))
    assert len(given) == 30
    assert len(server.posts) == 12  # eight batches of four, each third post busy
    with scripted_server(lambda number, body: problem(429, "queue_full") if number else vectors(body)) as server:
        _, error = await Caller(server.url, is_async, FAST).stream_until_error(numbers(30))
    assert isinstance(error, QueueFull)


@BOTH
async def test_over_http_a_request_too_slow_for_the_server_is_divided(is_async: bool) -> None:
    def script(number: int, body: bytes) -> Answer:
        answered = vectors(body)
        assert answered.body is not None
        return answered if len(json.loads(answered.body)["data"]) < 3 else problem(504, "deadline_exceeded")

    with scripted_server(script) as server:
        given = await Caller(server.url, is_async, FAST).stream(numbers(30))
    assert [one.index for one in given] == list(range(30))
