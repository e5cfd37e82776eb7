"""Reads files anew that have changed: keys and certificates are replaced without a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

logger = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
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
        self._things, self._observer = things, observer
        # Unknown at first: what changed since it was read at the start is seen, too.
        self._known: list[tuple[Identity, ...] | None] = [None] * len(things)
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Read everything anew now, changed or not."""
        self._asked.set()

    async def run(self) -> None:
        """Look for changes until cancelled."""
        while True:
            await self._rest()
            asked = self._asked.is_set()
            self._asked.clear()
            for place, thing in enumerate(self._things):
                await asyncio.to_thread(self._look, place, thing, asked)

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._asked.wait()
        except TimeoutError:
            pass

    def _look(self, place: int, thing: Reloadable, asked: bool) -> None:
        found = _identities(thing)
        if found == self._known[place] and not asked:
            return
        self._known[place] = found  # noted before the files are read: a change in between is seen at the next look
        try:
            said = thing.load()
        except Exception as error:  # a faulty loader must not end the watch either
            logger.error("%s stay as they were, the new ones can't be used: %s", thing.name, error)
            self._observer.reloaded(thing.name, "failed")
        else:
            logger.info("%s: %s", thing.name, said)
            self._observer.reloaded(thing.name, "ok")


def _identities(thing: Reloadable) -> tuple[Identity, ...]:
    return tuple(_identity(path) for path in thing.paths)


def _identity(path: Path) -> Identity:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
