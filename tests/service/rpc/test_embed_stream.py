"""EmbedStream: every item answered once, bad ones alone; fast writers and slow readers are held back."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import numpy as np

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import clip, encoded, picture
from tests.service.rpc.conftest import Generated
from tests.service.rpc.status import details, refused
from tests.service.test_bad_input import MIB

MESSAGES = 2000
NARROW = [("grpc.http2.bdp_probe", 0), ("grpc.use_local_subchannel_pool", 1)]
"""A client whose window for answers keeps its 64 KiB: else some megabytes would fit on their way to it."""


def named(pb: Any, name: str, **item: Any) -> Any:
    return pb.StreamItem(id=name, item=pb.Item(**item))


def numbers(answer: Any) -> np.ndarray:
    return np.frombuffer(answer.embedding.vector.float32, "<f4")


def test_every_item_is_answered_with_its_id_and_bad_ones_alone(stub: Any, client: httpx.Client, pb: Any) -> None:
    plain = {
        "text": {"text": "a cow"},
        "image": {"image": encoded(picture(1))},
        "audio": {"audio": encoded(clip(1, 3.0))},
    }
    messages = [
        pb.EmbedStreamRequest(items=[named(pb, "text", text="a cow"), named(pb, "bad", image=b"no picture")]),
        pb.EmbedStreamRequest(),
        pb.EmbedStreamRequest(items=[named(pb, "image", image=picture(1)), pb.StreamItem(id="nothing")]),
        pb.EmbedStreamRequest(items=[named(pb, "audio", audio=clip(1, 3.0))]),
    ]
    answers = {answer.id: answer for answer in stub.EmbedStream(iter(messages))}
    assert {name: answer.embedding.index for name, answer in answers.items()} == {
        "text": 0,
        "bad": 1,
        "image": 2,
        "nothing": 3,
        "audio": 4,
    }
    for name, item in plain.items():
        expected = client.post("/embed", json={"inputs": [item]}).json()
        assert answers[name].fingerprint == expected["fingerprint"]
        np.testing.assert_allclose(numbers(answers[name]), expected["data"][0]["embedding"], atol=1e-5)
    assert answers["bad"].embedding.error.code == "unreadable_image"
    assert answers["nothing"].embedding.error.code == "invalid_field"


def test_options_hold_until_others_come(stub: Any, pb: Any) -> None:
    def messages() -> Iterator[Any]:
        yield pb.EmbedStreamRequest(items=[named(pb, "a", text="x")])
        options = pb.EmbedOptions(encoding=[pb.ENCODING_INT8, pb.ENCODING_FLOAT])
        yield pb.EmbedStreamRequest(options=options, items=[named(pb, "b", text="x")])
        yield pb.EmbedStreamRequest(items=[named(pb, "c", text="x")])
        yield pb.EmbedStreamRequest(options=pb.EmbedOptions(), items=[named(pb, "d", text="x")])

    forms = {
        answer.id: {field.name for field, _ in answer.embedding.vector.ListFields()}
        for answer in stub.EmbedStream(messages())
    }
    assert forms == {"a": {"float32"}, "b": {"float32", "int8"}, "c": {"float32", "int8"}, "d": {"float32"}}


def test_a_message_of_max_items_may_have_every_option(stub: Any, pb: Any) -> None:
    options = pb.EmbedOptions(
        encoding=[pb.ENCODING_FLOAT, pb.ENCODING_INT8, pb.ENCODING_BINARY], windows=pb.Windows(seconds=2)
    )
    items = [named(pb, str(i), text="x") for i in range(128)]
    answers = list(stub.EmbedStream(iter([pb.EmbedStreamRequest(options=options, items=items)])))
    assert sorted(int(answer.id) for answer in answers) == list(range(128))


def test_answers_come_while_the_client_still_thinks(stub: Any, pb: Any) -> None:
    to_send: queue.Queue[Any] = queue.Queue()
    call = stub.EmbedStream(iter(to_send.get, None))
    for turn in range(3):
        to_send.put(pb.EmbedStreamRequest(items=[named(pb, str(turn), text="x")]))
        assert next(call).id == str(turn)
    to_send.put(None)
    assert list(call) == []
    assert dict(call.initial_metadata())["x-request-id"] == dict(call.trailing_metadata())["x-request-id"]


def test_quick_items_overtake_slow_ones(stub: Any, pb: Any) -> None:
    items = [named(pb, f"clip {i}", audio=clip(i, 15.0)) for i in range(8)] + [named(pb, "text", text="x")]
    names = [answer.id for answer in stub.EmbedStream(iter([pb.EmbedStreamRequest(items=items)]))]
    assert len(names) == 9
    assert names.index("text") < 8


def test_a_wrong_message_ends_the_stream_after_what_was_read_is_answered(stub: Any, pb: Any) -> None:
    messages = [
        pb.EmbedStreamRequest(items=[named(pb, "good", audio=clip(1, 15.0))]),
        pb.EmbedStreamRequest(items=[named(pb, str(i), text="x") for i in range(129)]),
        pb.EmbedStreamRequest(items=[named(pb, "never", text="x")]),
    ]
    call, answers = stub.EmbedStream(iter(messages)), []
    error = refused(lambda: [answers.append(answer.id) for answer in call])
    assert answers == ["good"]
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(error, pb)["problem"].code == "too_many_items"


def test_wrong_options_end_the_stream_as_they_end_a_call(stub: Any, pb: Any) -> None:
    items = [named(pb, "a", text="x")]
    stream = [pb.EmbedStreamRequest(options=pb.EmbedOptions(dimensions=5), items=items)]
    errors = [
        refused(lambda: list(stub.EmbedStream(iter(stream)))),
        refused(lambda: stub.Embed(pb.EmbedRequest(inputs=[pb.Item(text="x")], dimensions=5))),
    ]
    for error in errors:
        problem = details(error, pb)["problem"]
        assert (problem.code, [entry.pointer for entry in problem.errors]) == ("invalid_field", ["/dimensions"])


def test_a_full_queue_means_waiting(generated: Generated, pb: Any) -> None:
    items = [named(pb, str(i), text=f"text {i}") for i in range(200)]
    messages = [pb.EmbedStreamRequest(items=items[i : i + 4]) for i in range(0, 200, 4)]
    with (
        live_server(REPOSITORY, max_queue=4, max_items=4, grpc_stream_window=64) as small,
        grpc.insecure_channel(small.grpc_address) as channel,
    ):
        stub = generated.stub(channel)
        streams = [stub.EmbedStream(iter(messages)) for _ in range(3)]
        for stream in streams:
            answers = list(stream)
            assert sorted(int(answer.id) for answer in answers) == list(range(200))
            assert all(answer.embedding.HasField("vector") for answer in answers)


def flood(pb: Any, sent: list[int], end: threading.Event, size: int) -> Iterator[Any]:
    """Messages without end, each with some bytes that are no picture; counts what the transport has taken."""
    payload = b"x" * size
    while not end.is_set() and len(sent) < MESSAGES:
        sent.append(size)
        yield pb.EmbedStreamRequest(items=[named(pb, "x", image=payload)])


def settled(sent: list[int]) -> int:
    """Bytes that the client could send until it was held back."""
    count = -1
    while count != len(sent):
        count = len(sent)
        time.sleep(1.0)
    return sum(sent)


def test_a_client_that_does_not_read_is_held_back_and_harms_nobody(generated: Generated, pb: Any) -> None:
    """The control: the same client, reading, sends all of its 200 MB."""
    size, total = 100_000, MESSAGES * 100_000
    with (
        live_server(REPOSITORY, grpc_stream_window=8) as server,
        grpc.insecure_channel(server.grpc_address, options=NARROW) as channel,
        grpc.insecure_channel(server.grpc_address) as other,
    ):
        stub, neighbour = generated.stub(channel), generated.stub(other)
        neighbour.Embed(pb.EmbedRequest(inputs=[pb.Item(text="warm")]))
        before = server.resident_bytes()
        sent: list[int] = []
        end = threading.Event()
        call = stub.EmbedStream(flood(pb, sent, end, size))
        held_at = settled(sent)
        grown = server.resident_bytes() - before
        assert held_at < total / 2, "the client was not held back"
        assert grown < 48 * MIB
        started = time.monotonic()
        for _ in range(20):
            neighbour.Embed(pb.EmbedRequest(inputs=[pb.Item(text="a cow")]), timeout=10)
        assert time.monotonic() - started < 5
        end.set()
        assert sum(1 for _ in call) == len(sent), "what was held back is answered once the client reads"

        sent.clear()
        end.clear()
        reading = stub.EmbedStream(flood(pb, sent, end, size))
        count = sum(1 for _ in reading)
        assert (count, sum(sent)) == (MESSAGES, total)
        assert server.resident_bytes() - before < 64 * MIB


def test_a_stream_that_takes_no_answers_is_given_up_and_frees_what_it_held(generated: Generated, pb: Any) -> None:
    sent: list[int] = []
    limits = {"max_pending_bytes": 4 * MIB, "max_body_bytes": 2 * MIB}
    with (
        live_server(REPOSITORY, grpc_stream_window=8, read_timeout_ms=1000, **limits) as server,
        grpc.insecure_channel(server.grpc_address, options=NARROW) as channel,
        httpx.Client(base_url=server.url) as client,
    ):
        call = generated.stub(channel).EmbedStream(flood(pb, sent, threading.Event(), 100_000))
        assert settled(sent) < MESSAGES * 100_000 / 2
        await_metric(client, "onepeace_requests_in_flight 1.0")  # of the metrics themselves
        await_metric(client, 'onepeace_errors_total{code="request_too_slow"} 1.0')
        error = refused(lambda: list(call))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert details(error, pb)["problem"].code == "request_too_slow"


def await_metric(client: httpx.Client, line: str) -> None:
    end = time.monotonic() + 20
    while line not in client.get("/metrics").text.splitlines():
        assert time.monotonic() < end, f"no {line}"
        time.sleep(0.05)


def test_a_client_that_leaves_frees_its_place(server: LiveServer, client: httpx.Client, stub: Any, pb: Any) -> None:
    items = [named(pb, str(i), audio=clip(i, 15.0)) for i in range(8)]
    call = stub.EmbedStream(iter([pb.EmbedStreamRequest(items=items)]))
    next(call)
    call.cancel()
    await_metric(client, "onepeace_requests_in_flight 1.0")
