"""Reads files anew that have changed: keys and certificates are replaced without a restart."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

logger = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
READ_S = 5.0
"""A disk that takes longer for some small files has failed."""
FAILED = "%s stay as they were, the new ones can't be used: %s"
Identity = tuple[int, int, int, int, int] | None


class Reloadable(Protocol):
    """Something that was made of files."""

    name: str

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""
        ...

    def load(self) -> str:
        """Read the files, take over what they hold at once or not at all, and say what it is; called in a thread."""
        ...


class ReloadObserver(Protocol):
    """Told of every attempt."""

    def reloaded(self, what: str, outcome: str) -> None:
        """`outcome` is `ok` or `failed`."""
        ...


class Reloader:
    """Looks every second whether a file is another one: by its place on disk, its size and its times of change.

    The time that a writer can set is not enough: a copy that keeps it may be as long as the file that it replaces.

    Links are followed, so the way in which Kubernetes replaces mounted files (a link that is turned over) is seen.
    What can't be read is tried again when it changes once more; until then everything stays as it was.
    """

    def __init__(self, things: Sequence[Reloadable], observer: ReloadObserver) -> None:
        self._watches = [_Watch(thing, observer) for thing in things]

    def ask(self) -> None:
        """Read everything anew now, changed or not."""
        for watch in self._watches:
            watch.asked.set()

    async def run(self) -> None:
        """Look for changes until cancelled."""
        async with asyncio.TaskGroup() as group:
            for watch in self._watches:
                group.create_task(watch.run())


class _Watch:
    """Follows the files of one thing, whatever becomes of those of others."""

    def __init__(self, thing: Reloadable, observer: ReloadObserver) -> None:
        self._thing, self._observer = thing, observer
        # Unknown at first: what changed since it was read at the start is seen, too.
        self._known: tuple[Identity, ...] | None = None
        self.asked = asyncio.Event()

    async def run(self) -> None:
        while True:
            await self._rest()
            asked = self.asked.is_set()
            self.asked.clear()
            look = _in_a_daemon_thread(lambda asked=asked: self._look(asked))  # type: ignore[misc]
            done, _ = await asyncio.wait({look}, timeout=READ_S)  # wait_for of Python 3.11 may swallow a cancellation
            if not done:
                said = f"a look at them takes more than {READ_S:g} s"
                logger.error(FAILED, self._thing.name, said)
                self._observer.reloaded(self._thing.name, "failed")
                await look

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self.asked.wait()
        except TimeoutError:
            pass

    def _look(self, asked: bool) -> None:
        thing = self._thing
        found = _identities(thing)
        if found == self._known and not asked:
            return
        self._known = found  # noted before the files are read: a change in between is seen at the next look
        try:
            said = thing.load()
        except Exception as error:  # a faulty loader must not end the watch either
            logger.error(FAILED, thing.name, error)
            self._observer.reloaded(thing.name, "failed")
        else:
            logger.info("%s: %s", thing.name, said)
            self._observer.reloaded(thing.name, "ok")


def _in_a_daemon_thread(work: Callable[[], None]) -> asyncio.Future[None]:
    """Done when the work is. The process would wait for a thread of a pool, and a dead disk may never let go of it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle() -> None:
        if not done.done():
            done.set_result(None)

    def run() -> None:
        try:
            work()
        finally:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(settle)

    threading.Thread(target=run, name="reload", daemon=True).start()
    return done


def _identities(thing: Reloadable) -> tuple[Identity, ...]:
    return tuple(_identity(path) for path in thing.paths)


def _identity(path: Path) -> Identity:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
