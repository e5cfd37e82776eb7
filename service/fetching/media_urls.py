"""The files behind the URLs of one request, within the room that the service has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.admission import UNACCOUNTED, Admission, Room
from service.context import Stages
from service.errors import InputError, UrlNotAllowed, UrlUnreachable
from service.fetching.fetcher import Fetcher

OFF = (
    "URLs are not fetched by this service; its operator allows hosts with ONEPEACE_URL_FETCH=allowlist and "
    "ONEPEACE_URL_HOSTS"
)

_FetchFile = Callable[[str, Callable[[int], None]], Awaitable[bytes]]
"""The file behind a URL; told of its bytes as they come."""


class MediaUrls:
    """Fetches what a request names by URL, and accounts for its bytes as for those of bodies.

    `fetcher` is None when URLs are not fetched. The files of one request have at most `max_bytes` together.
    """

    def __init__(self, fetcher: Fetcher | None, admission: Admission, *, max_bytes: int) -> None:
        self._fetcher, self._admission, self._max_bytes = fetcher, admission, max_bytes

    @asynccontextmanager
    async def fetched(
        self, urls: Sequence[str], stages: Stages, room: Room = UNACCOUNTED
    ) -> AsyncIterator[Mapping[str, bytes | InputError]]:
        """The file behind each URL, or what was wrong with it; accounted for until the exit.

        All are fetched at once, the same URL once, and each host's name is looked up once. The `room` of the request
        may want to hold in advance what they have at most.

        Raises:
            InvalidRequest: the request and its files have more bytes than the service ever has at work.
            QueueFull: the bytes at work leave no room for the files.
            DeadlineExceeded: the request's deadline passed.
        """
        held = _HeldFiles(room)
        started_s = time.perf_counter()
        try:
            try:
                if self._fetcher is not None:
                    most = min(len(set(urls)) * self._fetcher.max_file_bytes, self._max_bytes)
                    held.ahead = await room.take_ahead(most)
                files = await self._fetch_all(set(urls), held, stages.deadline_s)
            finally:
                held.give_ahead(held.ahead)
                stages.spent("fetch", started_s)
            yield files
        finally:
            self._give(held, held.held_bytes)

    async def close(self) -> None:
        """Let go of the fetcher."""
        if self._fetcher is not None:
            await self._fetcher.close()

    async def _fetch_all(self, urls: Set[str], held: _HeldFiles, deadline_s: float) -> dict[str, bytes | InputError]:
        fetcher = self._fetcher
        if fetcher is None:
            return {url: UrlNotAllowed(OFF) for url in urls}
        hosts = fetcher.known_hosts()

        def fetch(url: str, account: Callable[[int], None]) -> Awaitable[bytes]:
            return fetcher.fetch(url, hosts, deadline_s=deadline_s, account=account)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = {url: group.create_task(self._attempt(url, held, fetch)) for url in urls}
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            hosts.close()
        return {url: task.result() for url, task in tasks.items()}

    async def _attempt(self, url: str, held: _HeldFiles, fetch: _FetchFile) -> bytes | InputError:
        taken = 0

        def account(count: int) -> None:
            nonlocal taken
            if held.held_bytes + count > self._max_bytes:
                raise UrlUnreachable("the files of one request's URLs are too large together", limit=self._max_bytes)
            held.give_ahead(min(count, held.ahead))
            self._admission.take(held, num_bytes=count)
            held.share(count)
            taken += count

        try:
            return await fetch(url, account)
        except InputError as error:
            self._give(held, taken)  # the room is for its neighbours
            return error

    def _give(self, held: _HeldFiles, count: int) -> None:
        self._admission.give(held, num_bytes=count)
        held.share(-count)


@dataclass(slots=True)
class _HeldFiles:
    """What the files of one request hold; `ahead` is what its room still holds for those that are on their way."""

    room: Room
    ahead: int = 0
    held_bytes: int = 0
    held_items: int = 0

    @property
    def shared_bytes(self) -> int:
        """What the request itself holds."""
        return self.room.held_bytes

    def share(self, count: int) -> None:
        """Let the request know of `count` more bytes."""
        self.room.share(count)

    def give_ahead(self, count: int) -> None:
        """So many bytes have come, or will not come."""
        self.ahead -= count
        self.room.give(num_bytes=count)
