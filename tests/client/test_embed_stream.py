"""Streams against the real server: in order, read as needed, over both protocols and with both clients."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onepeace_client import AsyncClient, Client, Embedding, Fused, Image, InvalidInput, Windows
from tests.client.callers import Caller
from tests.service.live_server import LiveServer
from tests.service.media_files import clip, picture

EXAMPLES = Path(__file__).parents[2] / "examples"
MOST_AHEAD = 2 * 3 * 32 + 2 * 32 + 1
"""Over HTTP: six batches of 32 under way or answered, one full, one being filled."""


def mixed() -> list[Any]:
    kinds = ["a cow", EXAMPLES / "cow.jpg", clip(1), Fused(["a cow", picture(2)], [1, 2]), picture(3)]
    return [*kinds, *[f"text {number}" for number in range(70)], *kinds]


async def test_a_stream_gives_the_vectors_of_embed_in_order(caller: Caller) -> None:
    items = mixed()
    given = await caller.stream(iter(items), encoding=["float", "binary"])
    whole = await caller.call("embed", items, encoding=["float", "binary"])
    assert [embedding.index for embedding in given] == list(range(len(items)))
    np.testing.assert_allclose([embedding.vector for embedding in given], whole.vectors, atol=1e-5)
    np.testing.assert_array_equal([embedding.binary for embedding in given], whole.binary)
    assert [embedding.input for embedding in given] == list(whole.inputs)
    assert {(one.model, one.fingerprint, one.error, one.windows) for one in given} == {
        (whole.model, whole.fingerprint, None, None)
    }
    with pytest.raises(ValueError, match="not as int8"):
        _ = given[0].int8


async def test_an_empty_stream_gives_nothing(caller: Caller) -> None:
    assert await caller.stream([]) == []


async def test_clips_of_a_stream_have_windows(caller: Caller) -> None:
    long = clip(7, 23.4)
    given = await caller.stream(["a", long], windows=Windows(10, 5))
    whole = await caller.call("embed", [long], windows=Windows(10, 5))
    assert given[0].windows is None
    assert given[1].windows is not None
    np.testing.assert_allclose(given[1].windows.vectors, whole.windows[0].vectors, atol=1e-5)
    np.testing.assert_array_equal(given[1].windows.spans_s, whole.windows[0].spans_s)


async def test_a_wrong_item_ends_a_stream_when_those_before_it_were_given(caller: Caller) -> None:
    given, error = await caller.stream_until_error([*["good"] * 40, Fused(["a", Image(b"none")]), "good"])
    assert len(given) == 40
    assert isinstance(error, InvalidInput)
    assert (error.code, error.status) == ("unreadable_image", 422)
    assert [(problem.pointer, problem.index) for problem in error.errors] == [("/inputs/40/parts/1/image", 40)]


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        (Path("missing.png"), FileNotFoundError, r"missing\.png"),
        (b"neither", ValueError, r"items\[40\]: neither a picture's nor a sound's file"),
        (3, TypeError, r"items\[40\]: int is no item"),
    ],
    ids=["missing file", "unknown file", "no item"],
)
async def test_what_can_not_be_sent_ends_a_stream_when_those_before_it_were_given(
    caller: Caller, wrong: Any, kind: type[Exception], message: str
) -> None:
    given, error = await caller.stream_until_error([*["good"] * 40, wrong, "good"])
    assert len(given) == 40
    with pytest.raises(kind, match=message):
        raise error or AssertionError


async def test_wrong_items_are_reported_in_their_places(caller: Caller) -> None:
    items = ["good", Image(b"none"), "good", Path("missing.png"), b"\xff\xd8\xff no picture", "good"]
    given = await caller.stream(items, on_error="report", encoding=("float", "int8"))
    assert {one.index: (one.error.pointer, one.error.code) for one in given if one.error} == {
        1: ("/inputs/1/image", "unreadable_image"),
        3: ("/inputs/3", "unreadable_file"),
        4: ("/inputs/4/image", "unreadable_image"),
    }
    assert [one.index for one in given] == list(range(6))
    assert [bool(np.isfinite(one.vector).all()) for one in given] == [one.error is None for one in given]
    assert [bool(one.int8.any()) for one in given] == [one.error is None for one in given]
    assert {(one.vector.shape, one.int8.shape) for one in given} == {((128,), (128,))}


@pytest.mark.parametrize("on_error", ["fail", "report"])
async def test_wrong_options_end_a_stream(caller: Caller, on_error: str) -> None:
    given, error = await caller.stream_until_error(["a"] * 3, dimensions=7, on_error=on_error)
    assert given == []
    assert isinstance(error, InvalidInput)


async def test_an_error_of_the_callers_own_source_comes_after_the_answers(caller: Caller) -> None:
    def items() -> Iterator[str]:
        yield from ["good"] * 40
        raise ValueError("the source broke")

    given, error = await caller.stream_until_error(items())
    assert len(given) == 40
    assert str(error) == "the source broke"


def test_an_endless_source_is_read_a_bounded_number_ahead(caller: Caller) -> None:
    read = itertools.count()
    with (
        Client(caller.url) as client,
        closing(client.embed_stream(f"text {next(read)}" for _ in itertools.repeat(None))) as stream,
    ):
        for number, embedding in zip(range(300), stream, strict=False):
            assert embedding.index == number
        assert 300 <= next(read) <= 300 + MOST_AHEAD
        assert threading.active_count() < 10


async def test_an_endless_source_is_read_a_bounded_number_ahead_by_the_async_client(caller: Caller) -> None:
    read = 0

    async def items() -> AsyncIterator[str]:
        nonlocal read
        while True:
            read += 1
            yield f"text {read}"

    async with AsyncClient(caller.url) as client, aclosing(client.embed_stream(items())) as stream:
        given = 0
        async for embedding in stream:
            assert embedding.index == given
            given += 1
            if given == 300:
                break
    assert 300 <= read <= 300 + MOST_AHEAD


async def test_over_grpc_an_answer_does_not_wait_for_the_next_item(server: LiveServer) -> None:
    taken = asyncio.Event()

    async def items() -> AsyncIterator[str]:
        yield "first"
        await taken.wait()
        yield "second"

    indexes = []
    async with AsyncClient(f"grpc://{server.grpc_address}") as client, asyncio.timeout(30):
        async for embedding in client.embed_stream(items()):
            indexes.append(embedding.index)
            taken.set()
    assert indexes == [0, 1]


def test_a_stream_that_is_left_leaves_no_thread_and_harms_no_other_call(caller: Caller) -> None:
    with Client(caller.url) as client:
        for _ in range(3):
            stream = client.embed_stream(["a"] * 200)
            assert next(stream).index == 0
            stream.close()
        assert not [thread for thread in threading.enumerate() if thread.name == "onepeace-client-stream"]
        assert client.embed(["a"]).vectors.shape == (1, 128)


async def test_tasks_may_stream_side_by_side(caller: Caller) -> None:
    async with AsyncClient(caller.url) as client:

        async def read(text: str) -> list[Embedding]:
            return [embedding async for embedding in client.embed_stream([text] * 40)]

        first, second = await asyncio.gather(read("a cow"), read("a dog"))
        expected = await client.embed(["a cow", "a dog"])
    for given, vector in zip((first, second), expected.vectors, strict=True):
        np.testing.assert_allclose([one.vector for one in given], np.tile(vector, (40, 1)), atol=1e-5)


def test_the_profile_counts_a_stream(caller: Caller) -> None:
    with Client(caller.url) as client:
        assert len(list(client.embed_stream(["a cow", EXAMPLES / "cow.jpg"] * 20))) == 40
        profile = client.profile()
    assert profile.requests == (3 if caller.url.startswith("http") else 2)
    assert profile.bytes_sent > 20 * (EXAMPLES / "cow.jpg").stat().st_size
    assert profile.bytes_received > 40 * 4 * 128
    assert all(profile.stages_s[stage] > 0 for stage in ("decode", "queue", "infer"))
    # Its items' stages overlap, so together they may last longer than the request.
    assert sum(profile.stages_s.values()) + profile.elsewhere_s >= profile.seconds * (1 - 1e-6) > 0


@pytest.mark.parametrize("items", ["a cow", b"a cow", Path("cow.jpg"), 3])
def test_a_bare_item_is_no_stream(items: Any) -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(TypeError, match="items must be a list"):
        client.embed_stream(items)
    with Client("http://127.0.0.1:9") as client, pytest.raises(ValueError, match="on_error"):
        client.embed_stream(["a"], on_error="ignore")  # type: ignore[arg-type]
