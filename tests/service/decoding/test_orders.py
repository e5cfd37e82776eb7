"""Decoding in processes gives what decoding in threads gives, bit for bit, errors included."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from service.decoding.decoders import ThreadDecoders
from service.decoding.orders import AudioOrder, ClipOrder, ImageOrder, LengthOrder, Order, RegionsOrder
from service.decoding.pool import PoolPolicy, ProcessDecoders
from service.errors import InputError
from service.media.audio import AudioSpec
from service.media.audio_windows import Windows
from service.media.payload import Payload
from tests.service.decoding.slow_files import long_sound, slow_picture
from tests.service.media.mutations import mutate
from tests.service.media_files import clip, encoded, picture

ROOT = Path(__file__).parents[3]
MEDIA = [
    path
    for folder in (ROOT / "examples", ROOT.parent / "shared" / "media")
    for path in sorted(folder.glob("*"))
    if path.suffix.lower() in (".jpg", ".jpeg", ".flac")
]
WINDOWS = Windows(2.0, 1.5)
REGIONS = ((0.1, 0.2, 0.5, 0.9), (0.0, 0.0, 1.0, 1.0), (0.7, 0.6, 0.2, 0.1))


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest_asyncio.fixture
async def processes(threads: Executor) -> AsyncIterator[ProcessDecoders]:
    pool = ProcessDecoders(PoolPolicy(2, 1024, 60.0, 2 << 30), threads, lambda _: None)
    await pool.start()
    yield pool
    await pool.close()


def image(payload: Payload) -> ImageOrder:
    return ImageOrder(payload, 96, 50_000_000)


def orders(payload: Payload) -> list[Order[Any]]:
    """Everything that can be asked of a file, also what does not fit it."""
    return [
        image(payload),
        RegionsOrder(payload, REGIONS, 64, 50_000_000),
        AudioOrder(payload, AudioSpec(), 600.0),
        ClipOrder(payload, AudioSpec(), WINDOWS, 600.0, max_windows=256),
        LengthOrder(payload, WINDOWS, 600.0, max_windows=256),
    ]


def assert_same(one: object, other: object) -> None:
    """Equal in type and in every bit."""
    assert type(one) is type(other)
    if isinstance(one, InputError) and isinstance(other, InputError):
        assert (one.detail, one.limit, one.actual) == (other.detail, other.limit, other.actual)
    elif isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)  # type: ignore[attr-defined]
        assert one.tobytes() == other.tobytes()  # type: ignore[attr-defined]
    elif isinstance(one, list):
        assert len(one) == len(other)  # type: ignore[arg-type]
        for mine, its in zip(one, other, strict=True):  # type: ignore[call-overload]
            assert_same(mine, its)
    elif hasattr(one, "__slots__"):
        for name in one.__slots__:
            assert_same(getattr(one, name), getattr(other, name))
    else:
        assert one == other


async def assert_same_answers(processes: ProcessDecoders, threads: Executor, asked: list[Order[Any]]) -> list[object]:
    mine = [processes.submit(order) for order in asked]
    results = []
    for order, answer in zip(asked, mine, strict=True):
        result = await answer
        assert_same(result, await ThreadDecoders(threads).submit(order))
        results.append(result)
    return results


async def test_the_media_of_the_examples_are_equal(processes: ProcessDecoders, threads: Executor) -> None:
    assert len(MEDIA) >= 7
    results = [
        result for path in MEDIA for result in await assert_same_answers(processes, threads, orders(path.read_bytes()))
    ]
    sounds = sum(path.suffix == ".flac" for path in MEDIA)
    assert sum(not isinstance(result, InputError) for result in results) == 2 * len(MEDIA) + sounds


async def test_every_format_is_equal(processes: ProcessDecoders, threads: Executor) -> None:
    pictures = [picture(3, (333, 222), form) for form in ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF")]
    sounds = [clip(3, 2.5, 44_100, form, channels=2) for form in ("WAV", "FLAC", "OGG", "MP3")]
    for data in pictures + sounds:
        results = await assert_same_answers(processes, threads, orders(data))
        assert any(not isinstance(result, InputError) for result in results)


async def test_base64_is_equal(processes: ProcessDecoders, threads: Executor) -> None:
    text = encoded(picture(1))
    asked: list[Order[Any]] = [
        image(payload) for payload in (text, f"data:image/png;base64,{text}", text[:-1], "\ud800", "data:,x")
    ]
    results = await assert_same_answers(processes, threads, asked)
    assert [getattr(result, "code", "good") for result in results] == ["good", "good", *["invalid_base64"] * 3]


@pytest.mark.filterwarnings("ignore")  # Pillow's, of broken TIFFs: as errors they would change the answer
@pytest.mark.parametrize("data", [picture(2, form="JPEG"), picture(2, form="TIFF"), clip(2, form="FLAC"), clip(2)])
async def test_damaged_files_are_equal(processes: ProcessDecoders, threads: Executor, data: bytes) -> None:
    asked = [order for broken in mutate(data, 60, seed=5) for order in orders(broken)[:4:2]]
    results = await assert_same_answers(processes, threads, asked)
    assert sum(isinstance(result, InputError) for result in results) > len(asked) / 2


async def test_limits_are_equal(processes: ProcessDecoders, threads: Executor) -> None:
    sound = clip(1, 4.0)
    asked: list[Order[Any]] = [
        ImageOrder(picture(1), 96, 100),
        AudioOrder(sound, AudioSpec(), 1.0),
        ClipOrder(sound, AudioSpec(), WINDOWS, 600.0, max_windows=1),
        LengthOrder(sound, WINDOWS, 600.0, max_windows=1),
    ]
    results = await assert_same_answers(processes, threads, asked)
    assert [getattr(result, "code", "") for result in results] == [
        "image_too_large",
        "audio_too_long",
        "too_many_items",
        "too_many_items",
    ]


async def test_the_largest_files_pass_and_their_memory_is_given_back(
    processes: ProcessDecoders, threads: Executor
) -> None:
    asked: list[Order[Any]] = [
        image(slow_picture()),
        ClipOrder(long_sound(), AudioSpec(), Windows(15.0, 15.0), 600.0, max_windows=256),
    ]
    results = await assert_same_answers(processes, threads, asked)
    assert not any(isinstance(result, InputError) for result in results)
    assert results[1].samples.nbytes == 600 * 16_000 * 4  # type: ignore[attr-defined]


async def test_a_payload_that_is_an_error_is_its_own_answer(processes: ProcessDecoders, threads: Executor) -> None:
    error = InputError("could not be fetched")
    assert await processes.submit(image(error)) is error
