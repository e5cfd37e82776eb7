"""Puts the files behind a request's URLs in the place of the URLs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from service.admission import Admission, Held
from service.context import Stages
from service.errors import InputError, UrlNotAllowed, UrlUnreachable
from service.fetching.fetcher import Fetcher
from service.media.payload import Payload, is_url

OFF = (
    "URLs are not fetched by this service; its operator allows hosts with ONEPEACE_URL_FETCH=allowlist and "
    "ONEPEACE_URL_HOSTS"
)


class MediaUrls:
    """Fetches what a request names by URL, and accounts for its bytes as for those of bodies.

    `fetcher` is None when URLs are not fetched. The files of one request have at most `max_bytes` together.
    """

    def __init__(self, fetcher: Fetcher | None, admission: Admission, *, max_bytes: int) -> None:
        self._fetcher, self._admission, self._max_bytes = fetcher, admission, max_bytes

    @asynccontextmanager
    async def fetched(self, payloads: Sequence[Payload], stages: Stages) -> AsyncIterator[list[Payload | InputError]]:
        """The same payloads with the file in the place of each URL, or what was wrong with it; held until the exit.

        All are fetched at once, the same URL once.

        Raises:
            QueueFull: the bytes at work leave no room for the files.
            DeadlineExceeded: the request's deadline passed.
        """
        urls = dict.fromkeys(payload for payload in payloads if isinstance(payload, str) and is_url(payload))
        held = Held()
        try:
            files: dict[Payload, bytes | InputError] = dict(
                zip(urls, await self._fetch_all(list(urls), held, stages), strict=True)
            )
            # Each place has an error of its own, because each gets a pointer of its own.
            yield [_own(files[payload]) if payload in files else payload for payload in payloads]
        finally:
            self._admission.release(held)

    async def close(self) -> None:
        """Let go of the fetcher."""
        if self._fetcher is not None:
            await self._fetcher.close()

    async def _fetch_all(self, urls: Sequence[str], held: Held, stages: Stages) -> list[bytes | InputError]:
        started = time.perf_counter()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._attempt(url, held, stages.deadline_s)) for url in urls]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            stages.fetch += time.perf_counter() - started
        return [task.result() for task in tasks]

    async def _attempt(self, url: str, held: Held, deadline_s: float) -> bytes | InputError:
        def account(count: int) -> None:
            if held.held_bytes + count > self._max_bytes:
                raise UrlUnreachable("the files of one request's URLs are too large together", limit=self._max_bytes)
            self._admission.take_bytes(held, count)

        if self._fetcher is None:
            return UrlNotAllowed(OFF)
        try:
            return await self._fetcher.fetch(url, deadline_s=deadline_s, account=account)
        except InputError as error:
            return error


def _own(found: bytes | InputError) -> bytes | InputError:
    return type(found)(found.detail, limit=found.limit, actual=found.actual) if isinstance(found, InputError) else found
