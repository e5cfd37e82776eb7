"""When files are read anew."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from service.access import reloading
from service.access.reloading import Reloader, _identities
from tests.repository import REPOSITORY
from tests.service.access.known_keys import table
from tests.service.live_server import live_server
from tests.service.waiting import until, until_async


class Thing:
    """Notes each reading of its file; fails as told."""

    name = "things"

    def __init__(self, path: Path) -> None:
        self.paths = (path,)
        self.read: list[str] = []
        self.failure: Exception | None = None

    def load(self) -> str:
        self.read.append(self.paths[0].read_text())
        if self.failure is not None:
            raise self.failure
        return "fine"


class Observer:
    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()

    def reloaded(self, what: str, outcome: str) -> None:
        self.outcomes[outcome] += 1


@pytest.fixture
def thing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Thing:
    monkeypatch.setattr(reloading, "LOOK_EVERY_S", 0.01)
    path = tmp_path / "file"
    path.write_text("1")
    return Thing(path)


@asynccontextmanager
async def reloader(*things: Thing) -> AsyncIterator[tuple[Reloader, Observer]]:
    observer = Observer()
    running = Reloader(things, observer)
    task = asyncio.create_task(running.run())
    try:
        yield running, observer
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_file_is_read_once_and_again_when_it_changes(thing: Thing) -> None:
    async with reloader(thing) as (_, observer):
        await until_async(lambda: thing.read == ["1"])  # what changed since the start is not missed
        await asyncio.sleep(0.1)
        thing.paths[0].write_text("22")
        await until_async(lambda: thing.read[-1] == "22")
        await asyncio.sleep(0.1)
        assert thing.read == ["1", "22"] or thing.read == ["1", "", "22"]  # caught between two steps of writing
        assert observer.outcomes["failed"] == 0


def test_a_change_that_keeps_size_and_time_is_seen(thing: Thing) -> None:
    path = thing.paths[0]
    found, before = path.stat(), _identities(thing)
    time.sleep(0.05)  # longer than a tick of the kernel's clock
    with path.open("r+") as file:
        file.write("2")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (found.st_mtime_ns, found.st_size)
    assert _identities(thing) != before


async def test_reading_can_be_asked_for(thing: Thing) -> None:
    async with reloader(thing) as (running, _):
        await until_async(lambda: len(thing.read) == 1)
        running.ask()
        await until_async(lambda: len(thing.read) == 2)


async def test_no_failure_ends_the_watch_or_harms_another_thing(
    thing: Thing, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = Thing(tmp_path / "other")
    other.paths[0].write_text("a")
    async with reloader(thing, other) as (_, observer):
        await until_async(lambda: other.read == ["a"])
        for failure in (OSError("gone"), RuntimeError("a fault of ours"), None):
            thing.failure = failure
            count = len(thing.read)
            thing.paths[0].write_text("x" * (count + 2))
            await until_async(lambda count=count: len(thing.read) > count)  # type: ignore[misc]
        await until_async(lambda: observer.outcomes["ok"] >= 3)
        assert observer.outcomes["failed"] >= 2
        assert other.read == ["a"]
    assert "things stay as they were, the new ones can't be used: gone" in caplog.text


async def test_a_read_that_hangs_is_a_failure_and_harms_no_other_file(
    thing: Thing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reloading, "READ_S", 0.1)
    stuck, freed = Thing(tmp_path / "stuck"), threading.Event()
    stuck.paths[0].write_text("old")
    monkeypatch.setattr(stuck, "load", lambda: str(freed.wait(60)))
    try:
        async with reloader(stuck, thing) as (_, observer):
            await until_async(lambda: observer.outcomes["failed"] == 1)
            thing.paths[0].write_text("22")
            await until_async(lambda: thing.read[-1] == "22")
            assert "things stay as they were, the new ones can't be used: a look at them takes" in caplog.text
            assert observer.outcomes["failed"] == 1
            read = observer.outcomes["ok"]
            freed.set()  # the disk is back
            await until_async(lambda: observer.outcomes["ok"] == read + 1)
    finally:
        freed.set()


def test_a_pipe_in_the_place_of_a_file_fails_and_the_process_can_be_ended(tmp_path: Path) -> None:
    """Against a real server: other keys are read again when a file is there again."""
    keys = tmp_path / "keys.toml"
    keys.write_text(table("a", "a"))
    quick = "import service.access.reloading as r; r.LOOK_EVERY_S = 0.05"
    with live_server(REPOSITORY, before=quick, api_keys_file=keys, drain_s=0) as server:
        os.mkfifo(tmp_path / "pipe")
        os.replace(tmp_path / "pipe", keys)
        until(lambda: "not a regular file" in server.log())
        assert 'reloads_total{outcome="failed",what="keys"} 1.0' in httpx.get(server.url + "/metrics").text
        (tmp_path / "new").write_text(table("b", "b"))
        os.replace(tmp_path / "new", keys)
        until(lambda: '"keys: b"' in server.log())
        os.mkfifo(tmp_path / "pipe")
        os.replace(tmp_path / "pipe", keys)
        until(lambda: server.log().count("not a regular file") == 2)
        server.terminate()
        assert server.process.wait(30) == 0


def test_a_read_that_hangs_does_not_keep_the_process_from_ending(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text(table("a", "a"))
    quick = "import service.access.reloading as r, time; r.LOOK_EVERY_S = r.READ_S = 0.05"
    hang = quick + "; r._identities = lambda _: time.sleep(600)"
    with live_server(REPOSITORY, before=hang, api_keys_file=keys, drain_s=0) as server:
        until(lambda: "a look at them takes" in server.log())
        server.terminate()
        assert server.process.wait(30) == 0
