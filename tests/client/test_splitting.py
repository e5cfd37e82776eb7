"""Long lists go in several requests, within the server's limits; order and places stay the caller's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onepeace_client import (
    AsyncClient,
    Audio,
    Client,
    Embeddings,
    Fused,
    Image,
    InvalidInput,
    ProtocolError,
    RequestRefused,
    Vector,
    Windows,
)
from tests.client.callers import Caller
from tests.client.conftest import NAMES, WAYS, address
from tests.client.scripted_server import Answer, scripted_server, vectors
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import clip, picture

BODY_BYTES = 120_000


@pytest.fixture(scope="module")
def narrow() -> Iterator[LiveServer]:
    with live_server(REPOSITORY, max_items=4, max_body_bytes=BODY_BYTES) as running:
        yield running


@pytest.fixture(scope="module", params=["http", "grpc"])
def url(request: pytest.FixtureRequest, narrow: LiveServer) -> str:
    return narrow.url if request.param == "http" else f"grpc://{narrow.grpc_address}"


@pytest.fixture(scope="module")
def onepeace(url: str) -> Iterator[Client]:
    with Client(url) as opened:
        yield opened


def one_by_one(url: str, items: list[Any]) -> np.ndarray:
    with Client(url) as client:
        return np.concatenate([client.embed([item]).vectors for item in items])


def many() -> list[Any]:
    """More items and bytes than one request may hold."""
    items: list[Any] = [f"text {index}" for index in range(7)]
    items += [picture(seed, (60, 40)) for seed in range(5)] + [clip(seed) for seed in range(5)]
    return [*items, *[Fused([f"part {index}", picture(index)], [1.0, index + 0.5]) for index in range(4)], "last"]


async def test_a_split_list_gives_the_vectors_in_order(url: str, onepeace: Client) -> None:
    items = many()
    expected = await asyncio.to_thread(one_by_one, url, items)
    sync = await asyncio.to_thread(onepeace.embed, items)
    async with AsyncClient(url) as client:
        concurrent = await client.embed(items)
        assert client.profile().requests > 6
    np.testing.assert_allclose(sync.vectors, expected, atol=1e-5)
    np.testing.assert_allclose(concurrent.vectors, expected, atol=1e-5)
    assert len(sync.inputs) == len(items)


def bad_ones() -> tuple[list[Any], dict[int, tuple[str, str]]]:
    items = many()
    items[5], items[9], items[-2] = Image(b"none"), Audio(b"none"), Fused(["a", Image(b"none")])
    last = len(items) - 2
    return items, {
        5: ("/inputs/5/image", "unreadable_image"),
        9: ("/inputs/9/audio", "unreadable_audio"),
        last: (f"/inputs/{last}/parts/1/image", "unreadable_image"),
    }


def assert_reported(answer: Embeddings, wrong: dict[int, tuple[str, str]]) -> None:
    assert {index: (problem.pointer, problem.code) for index, problem in answer.errors.items()} == wrong
    assert [problem.index for problem in answer.errors.values()] == sorted(wrong)
    unknown = np.isnan(answer.vectors).all(axis=1)
    assert np.flatnonzero(unknown).tolist() == sorted(wrong)
    assert [index for index, note in enumerate(answer.inputs) if note is None] == sorted(wrong)
    assert np.isfinite(answer.vectors[~unknown]).all()


async def test_reported_errors_have_the_places_of_the_callers_list(url: str, onepeace: Client) -> None:
    items, wrong = bad_ones()
    assert_reported(await asyncio.to_thread(lambda: onepeace.embed(items, on_error="report")), wrong)
    async with AsyncClient(url) as client:
        assert_reported(await client.embed(items, on_error="report"), wrong)


@pytest.fixture(scope="module")
def crowded() -> Iterator[LiveServer]:
    with live_server(REPOSITORY, max_queue=24, max_items=16) as running:
        yield running


@pytest.fixture(params=WAYS, ids=NAMES)
def patient(request: pytest.FixtureRequest, crowded: LiveServer) -> Caller:
    """Asks a server that takes 24 windows at once."""
    wire, is_async = request.param
    return Caller(address(crowded, wire), is_async)


async def test_clips_whose_windows_are_too_many_together_are_divided(patient: Caller) -> None:
    clips = [clip(seed, 16.0) for seed in range(6)]
    answer = await patient.call("embed", [*clips, "a"], windows=Windows(2.0))
    assert [len(answer.windows[index].spans_s) for index in range(6)] == [8] * 6
    streamed = await patient.stream([*clips, "a"], windows=Windows(2.0))
    np.testing.assert_allclose([one.vector for one in streamed], answer.vectors, atol=1e-5)


async def test_a_clip_that_never_fits_is_reported_in_its_place(patient: Caller) -> None:
    items = ["a", clip(1, 50.0), "b"]
    answer = await patient.call("embed", items, windows=Windows(2.0), on_error="report")
    streamed = await patient.stream(items, windows=Windows(2.0), on_error="report")
    for errors in (answer.errors, {one.index: one.error for one in streamed if one.error}):
        assert {index: (one.code, one.index) for index, one in errors.items()} == {1: ("too_many_items", 1)}
    with pytest.raises(InvalidInput) as caught:
        await patient.call("embed", items, windows=Windows(2.0))
    assert caught.value.code == "too_many_items"


async def test_a_failing_item_is_named_by_its_place_in_the_callers_list(url: str, onepeace: Client) -> None:
    items = [*["good"] * 9, Image(b"none"), "good"]
    with pytest.raises(InvalidInput) as caught:
        await asyncio.to_thread(onepeace.embed, items)
    assert [(problem.pointer, problem.index) for problem in caught.value.errors] == [("/inputs/9/image", 9)]
    async with AsyncClient(url) as client:
        with pytest.raises(InvalidInput, match="/inputs/9/image"):
            await client.embed(items)


def test_what_can_not_be_sent_is_reported_beside_the_servers_errors(onepeace: Client, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("neither picture nor sound")
    large = np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    items = ["a", tmp_path / "notes.txt", tmp_path / "missing.png", large, Image(b"none"), Fused(["a"] * 5), "b"]
    answer = onepeace.embed(items, on_error="report")
    assert {index: problem.code for index, problem in answer.errors.items()} == {
        1: "unreadable_file",
        2: "unreadable_file",
        3: "body_too_large",
        4: "unreadable_image",
        5: "too_many_items",
    }
    assert answer.errors[3].limit == BODY_BYTES
    assert np.isfinite(answer.vectors[[0, 6]]).all()


def test_a_call_of_which_nothing_can_be_sent_is_answered(onepeace: Client, tmp_path: Path) -> None:
    answer = onepeace.embed([tmp_path / "missing.png"], on_error="report")
    assert answer.vectors.shape == (1, 128)
    assert np.isnan(answer.vectors).all()


def test_what_can_not_be_sent_ends_a_call_that_must_not_fail(onepeace: Client, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.png"):
        onepeace.embed(["a", tmp_path / "missing.png"])
    with pytest.raises(RequestRefused, match=r"items\[1\]") as caught:
        onepeace.embed(["a", bytes(picture(1)) + bytes(BODY_BYTES)])
    assert caught.value.code == "body_too_large"
    with pytest.raises(InvalidInput, match=r"items\[0\]") as broken:
        onepeace.embed([Fused(["a"] * 5)])
    assert broken.value.code == "too_many_items"


def test_bodies_close_to_the_limit_are_accepted(onepeace: Client) -> None:
    room = BODY_BYTES - 10_000
    for size in (room, room // 2, room // 3, 1000):
        items = [picture(1) + bytes(size)] * 3  # what follows a PNG's end does not count
        assert np.isfinite(onepeace.embed(items).vectors).all()
        fused = [Fused([picture(1) + bytes(size * 2 // 3), 'Ж"\n' * 100])] * 3
        assert np.isfinite(onepeace.embed(fused).vectors).all()


@pytest.mark.parametrize("probabilities", [False, True])
def test_a_large_similarity_is_put_together(server: LiveServer, onepeace: Client, probabilities: bool) -> None:
    vector = onepeace.embed(["a dog"])
    queries = ["a cow", clip(1), Vector(vector.vectors[0] * 3.0, vector.fingerprint)]
    candidates = [picture(1), "a dog", Fused(["a", "b"]), Vector(vector.vectors[0]), "e", "f"]
    split = onepeace.similarity(queries, candidates, probabilities=probabilities)
    with Client(server.url) as wide:
        whole = wide.similarity(queries, candidates, probabilities=probabilities)
        assert wide.profile().requests == 2
    np.testing.assert_allclose(split.similarity, whole.similarity, atol=1e-5)
    assert split.fingerprint == whole.fingerprint
    if probabilities:
        assert split.probabilities is not None
        np.testing.assert_allclose(split.probabilities, whole.probabilities, atol=1e-4)


def test_a_large_similarity_of_vectors_alone_is_put_together(onepeace: Client) -> None:
    rows = onepeace.embed(["a", "b", "c", "d"])
    items = [Vector(row, rows.fingerprint) for row in rows.vectors]
    np.testing.assert_allclose(onepeace.similarity(items, items).similarity, rows.vectors @ rows.vectors.T, atol=1e-5)


def test_a_large_similarity_names_what_is_wrong_by_the_callers_lists(onepeace: Client) -> None:
    vectors = [Vector(np.ones(128), "0" * 64), Vector(np.ones(7)), Vector(np.zeros(128))]
    with pytest.raises(InvalidInput) as caught:
        onepeace.similarity(["a", *vectors], ["b"] * 4)
    assert [(problem.pointer, problem.code) for problem in caught.value.errors] == [
        ("/queries/1/fingerprint", "fingerprint_mismatch"),
        ("/queries/2/embedding", "invalid_field"),
        ("/queries/3/embedding", "invalid_field"),
    ]
    with pytest.raises(InvalidInput) as caught:
        onepeace.similarity(["a", vectors[0]], ["b", "c", "d", Image(b"none")])
    assert [problem.pointer for problem in caught.value.errors] == ["/candidates/3/image"]


def test_many_phrases_go_in_several_requests(server: LiveServer, onepeace: Client) -> None:
    phrases = [f"the {color} bee" for color in ("purple", "red", "big", "small", "yellow", "blue")]
    scene = Path(__file__).parents[2] / "examples" / "scene.jpg"
    split = onepeace.ground(scene, phrases)
    with Client(server.url) as wide:
        whole = wide.ground(scene, phrases)
    assert split.phrases == tuple(phrases)
    np.testing.assert_allclose(split.boxes, whole.boxes, atol=0.02)
    np.testing.assert_allclose(split.boxes_normalized, whole.boxes_normalized, atol=1e-5)


def test_files_are_read_when_their_turn_comes(tmp_path: Path) -> None:
    """A file that is missing at first is there when its request is made: nothing read it before."""
    late = tmp_path / "late.png"
    answered = 0

    def script(number: int, body: bytes) -> Answer:
        nonlocal answered
        answered += 1
        if answered == 5:
            late.write_bytes(picture(1))
        return vectors(body)

    with scripted_server(script) as server, Client(server.url) as client:
        assert client.embed(["a"] * 60 + [late]).vectors.shape == (61, 2)


def test_parts_that_different_models_answered_are_not_mixed() -> None:
    def script(number: int, body: bytes) -> Answer:
        answer = vectors(body)
        assert answer.body is not None
        return Answer(200, answer.body.replace(b'"f"', f'"f{number}"'.encode()))

    with scripted_server(script) as server, Client(server.url) as client, pytest.raises(ProtocolError, match="differ"):
        client.embed(["a"] * 9)


def test_limits_are_asked_once() -> None:
    asked = []

    def script(number: int, body: bytes) -> Answer:
        asked.append(body)
        return vectors(body)

    with scripted_server(script) as server, Client(server.url) as client:
        for _ in range(3):
            client.embed(["a"])
        assert client.profile().requests == 4
