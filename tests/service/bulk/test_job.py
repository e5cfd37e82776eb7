"""The job holds back reading, waits for a busy engine, gives up on one that is gone, and bounds its memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.bulk.entry import Entry
from service.bulk.errors import EngineGone
from service.bulk.job import ENTRIES_AT_ONCE, Job
from service.bulk.limits import Window
from service.bulk.row import Row
from tests.service.bulk.known_embedder import IDENTITY, KnownEmbedder
from tests.service.media_files import clip

MIB = 1 << 20


def texts(count: int, taken: list[int] | None = None) -> Iterator[Entry]:
    for row in range(count):
        if taken is not None:
            taken.append(row)
        yield Entry(row, str(row), text=f"text {row}", size=10)


async def test_every_entry_becomes_one_row() -> None:
    embedder = KnownEmbedder(Window(calls=3, batch_items=7, batch_bytes=1000, max_bytes=1000))
    rows: list[Row] = []
    await Job(embedder, IDENTITY, rows.append).run(texts(500))
    assert sorted(row.row for row in rows) == list(range(500))
    assert len(embedder.asked) == 500


async def test_a_slow_engine_holds_back_the_source() -> None:
    embedder = KnownEmbedder(Window(calls=4, batch_items=2, batch_bytes=1000, max_bytes=1000), pause_s=0.001)
    taken: list[int] = []
    ahead: list[int] = []
    await Job(embedder, IDENTITY, lambda _: ahead.append(len(taken) - len(ahead))).run(texts(600, taken))
    assert embedder.most <= 8
    assert max(ahead) <= 8 + 2 * ENTRIES_AT_ONCE


async def test_bytes_bound_what_is_under_way_and_a_large_row_passes_alone() -> None:
    embedder = KnownEmbedder(Window(calls=50, batch_items=1, batch_bytes=1, max_bytes=35), pause_s=0.001)
    rows: list[Row] = []
    entries = [*texts(20), Entry(20, "20", text="x", size=10_000)]
    await Job(embedder, IDENTITY, rows.append).run(iter(entries))
    assert len(rows) == 21
    assert embedder.most == 3


async def test_a_full_queue_is_waited_for() -> None:
    embedder = KnownEmbedder(Window(calls=4, batch_items=1, batch_bytes=1, max_bytes=1000), busy_first=6)
    rows: list[Row] = []
    await Job(embedder, IDENTITY, rows.append).run(texts(5))
    assert len(rows) == 5
    assert all(row.failure is None for row in rows)


async def test_an_engine_that_never_answers_ends_the_job() -> None:
    embedder = KnownEmbedder(Window(calls=4, batch_items=1, batch_bytes=1, max_bytes=1000), busy_first=10**9)
    with pytest.raises(EngineGone, match=r"no answer for 0\.1 s: the queue is full"):
        await Job(embedder, IDENTITY, lambda _: None, patience_s=0.1).run(texts(5))


def peak_bytes(folder: Path, out: Path, max_bytes: int) -> int:
    command = [
        sys.executable,
        "-m",
        "tests.service.bulk.known_job",
        folder,
        out,
        str(max_bytes),
        "0.15",
        out.with_suffix(".log"),
    ]
    return int(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)


def test_memory_is_bounded_by_the_window_not_by_the_source(tmp_path: Path) -> None:
    data = clip(1, seconds=65.0)
    data += b"\0" * (4 * MIB - len(data))
    (tmp_path / "media").mkdir()
    for number in range(64):
        (tmp_path / "media" / f"{number}.wav").write_bytes(data)
    bounded = peak_bytes(tmp_path / "media", tmp_path / "bounded", 16 * MIB)
    unbounded = peak_bytes(tmp_path / "media", tmp_path / "unbounded", 1024 * MIB)
    assert unbounded > bounded + 128 * MIB
    one_file = tmp_path / "media" / "one.wav"
    for number in range(63):
        (tmp_path / "media" / f"{number}.wav").unlink()
    one_file.write_bytes(data)
    least = peak_bytes(tmp_path / "media", tmp_path / "least", 16 * MIB)
    assert bounded < least + 48 * MIB
