"""Errors, retries, deadlines over gRPC: against a scripted server on a real socket, with the service's own statuses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from onepeace_client import (
    AsyncClient,
    Client,
    DeadlineExceeded,
    NotConnected,
    OnePeaceError,
    Options,
    ProtocolError,
    QueueFull,
    RequestRefused,
    RetryPolicy,
    Unavailable,
    Unreachable,
)
from onepeace_client.errors import BY_CODE
from onepeace_client.generated import onepeace_pb2 as pb
from service import errors as server_errors
from service.rpc.errors import DETAILS_KEY, status_of
from tests.client.test_retries import FAST

ONCE = Options(retries=RetryPolicy(attempts=1))
GOOD = pb.EmbedResponse(
    model="m", fingerprint="f", dimensions=1, data=[pb.Embedding(vector=pb.Vector(float32=b"\0\0\x80\x3f"))]
).SerializeToString()
Behaviour = Callable[[int, grpc.ServicerContext], bytes]


@dataclass(slots=True)
class ScriptedGrpc:
    url: str
    calls: list[dict[str, Any]] = field(default_factory=list)
    peers: set[str] = field(default_factory=set)


@contextmanager
def scripted_grpc(behave: Behaviour) -> Iterator[ScriptedGrpc]:
    def embed(request: bytes, context: grpc.ServicerContext) -> bytes:
        number = len(state.calls)
        metadata = dict(context.invocation_metadata())
        state.calls.append({"metadata": metadata, "left_s": context.time_remaining()})
        state.peers.add(context.peer())
        return behave(number, context)

    def info(request: bytes, context: grpc.ServicerContext) -> bytes:
        limits = pb.Limits(max_items=4, max_body_bytes=100_000)
        return pb.InfoResponse(model="m", fingerprint="f", dimensions=1, limits=limits).SerializeToString()

    handlers = {"Embed": embed, "Info": info}
    service = grpc.method_handlers_generic_handler(
        "onepeace.v1.OnePeaceService",
        {name: grpc.unary_unary_rpc_method_handler(handler) for name, handler in handlers.items()},
    )
    server = grpc.server(ThreadPoolExecutor(4), handlers=(service,))
    state = ScriptedGrpc(f"grpc://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    server.start()
    try:
        yield state
    finally:
        server.stop(0).wait()


def fail(context: grpc.ServicerContext, error: server_errors.ServiceError) -> bytes:
    """End a call as the service ends it."""
    status = status_of(error, "r1")
    context.set_trailing_metadata(((DETAILS_KEY, status.details),))
    context.abort(status.code, status.message)
    raise AssertionError("abort does not return")


def error_classes(base: type[server_errors.ServiceError]) -> Iterator[type[server_errors.ServiceError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from error_classes(kind)


CLASSES = [kind for kind in error_classes(server_errors.ServiceError) if kind is not server_errors.InvalidRequest]


@pytest.mark.parametrize("kind", CLASSES, ids=[kind.__name__ for kind in CLASSES])
def test_each_error_of_the_service_arrives_as_over_rest(kind: type[server_errors.ServiceError]) -> None:
    error = kind("no", limit=3, actual=4.5)
    if isinstance(error, server_errors.InputError):
        error.pointer = "/inputs/0/text"
    with scripted_grpc(lambda _, context: fail(context, wrapped(error))) as server, Client(server.url, ONCE) as client:
        with pytest.raises(OnePeaceError) as caught:
            client.embed(["a"])
        assert len(server.calls) == 1
    found = caught.value
    assert type(found) is BY_CODE[kind.code][0]
    assert (found.code, found.status, found.request_id, found.detail) == (kind.code, kind.status, "r1", "no")
    assert (found.errors[0].limit, found.errors[0].actual) == (3, 4.5)
    if isinstance(error, server_errors.InputError):
        assert found.errors[0].index == 0
    if isinstance(error, server_errors.Unavailable):
        assert found.retry_after_s == kind.retry_after_s


def wrapped(error: server_errors.ServiceError) -> server_errors.ServiceError:
    """As the service raises it: wrong inputs in a list."""
    return server_errors.InvalidRequest([error]) if isinstance(error, server_errors.InputError) else error


def test_more_errors_than_metadata_holds_are_counted() -> None:
    wrong = [server_errors.InvalidText("x" * 100, pointer=f"/inputs/{i}") for i in range(100)]
    error = server_errors.InvalidRequest(wrong)
    with scripted_grpc(lambda _, context: fail(context, error)) as server, Client(server.url) as client:
        with pytest.raises(OnePeaceError, match=r"and \d+ more") as caught:
            client.embed(["a"])
        assert 0 < len(caught.value.errors) < 100


def test_a_busy_server_is_asked_again_after_its_delay() -> None:
    def busy_once(number: int, context: grpc.ServicerContext) -> bytes:
        return GOOD if number else fail(context, server_errors.QueueFull("full"))

    with scripted_grpc(busy_once) as server, Client(server.url, FAST) as client:
        started = time.monotonic()
        assert client.embed(["a"]).vectors.tolist() == [[1.0]]
        assert time.monotonic() - started >= 1.0
        assert (len(server.calls), client.profile().retries) == (2, 1)


def test_a_retry_that_would_break_the_deadline_is_not_waited_for() -> None:
    def busy(number: int, context: grpc.ServicerContext) -> bytes:
        return fail(context, server_errors.QueueFull("full"))

    with scripted_grpc(busy) as server, Client(server.url, FAST) as client:
        with pytest.raises(QueueFull):
            client.embed(["a"], deadline_s=1.5)
        assert len(server.calls) == 2


async def test_the_async_client_retries_as_well() -> None:
    def away_once(number: int, context: grpc.ServicerContext) -> bytes:
        return GOOD if number else fail(context, server_errors.EngineUnavailable("away"))

    with scripted_grpc(away_once) as server:
        async with AsyncClient(server.url, FAST) as client:
            assert (await client.embed(["a"])).vectors.tolist() == [[1.0]]
        async with AsyncClient(server.url, ONCE) as client:
            server.calls.clear()
            with pytest.raises(Unavailable):
                await client.embed(["a"])


def test_the_deadline_goes_to_the_server_and_holds() -> None:
    def slow(number: int, context: grpc.ServicerContext) -> bytes:
        time.sleep(0.8)
        return GOOD

    with scripted_grpc(slow) as server, Client(server.url, FAST) as client:
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            client.embed(["a"], deadline_s=0.3)
        assert 0.25 < time.monotonic() - started < 0.6
        assert caught.value.status is None
        assert len(server.calls) == 1
        assert 0.0 < server.calls[0]["left_s"] <= 0.301  # clocks round


def test_no_server_is_unreachable() -> None:
    with Client("grpc://127.0.0.1:1", FAST) as client:
        with pytest.raises(NotConnected):
            client.embed(["a"], deadline_s=5.0)
        assert client.profile().requests == FAST.retries.attempts


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, RequestRefused),
        (grpc.StatusCode.UNIMPLEMENTED, RequestRefused),
        (grpc.StatusCode.UNAVAILABLE, Unreachable),
        (grpc.StatusCode.DATA_LOSS, OnePeaceError),
    ],
)
def test_a_status_without_details_counts_by_its_code(code: grpc.StatusCode, kind: type[OnePeaceError]) -> None:
    with scripted_grpc(lambda _, context: context.abort(code, "bare")) as server, Client(server.url, ONCE) as client:
        with pytest.raises(kind, match="bare"):
            client.embed(["a"])
        assert len(server.calls) == 1


def test_bytes_that_are_no_answer_are_told() -> None:
    with scripted_grpc(lambda *_: b"\xff\xff") as server, Client(server.url, ONCE) as client:
        with pytest.raises(ProtocolError):
            client.embed(["a"])
        assert len(server.calls) == 1


def test_one_connection_and_the_metadata_serve_all_calls() -> None:
    options = Options(headers={"X-Team": "search"})
    with scripted_grpc(lambda *_: GOOD) as server, Client(server.url, options) as client:
        for _ in range(20):
            client.embed(["a"])
        assert len(server.peers) == 1
        assert server.calls[0]["metadata"]["x-team"] == "search"
