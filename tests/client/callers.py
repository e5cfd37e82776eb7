"""One way to ask the synchronous and the asynchronous client, so that a test holds for both."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from onepeace_client import AsyncClient, Client, Embedding, OnePeaceError


@dataclass(frozen=True, slots=True)
class Caller:
    """Asks the server at `url`; a client lives for one call."""

    url: str
    is_async: bool
    options: Any = None

    async def call(self, method: str, *args: Any, **options: Any) -> Any:
        """The answer of a client's method."""
        if self.is_async:
            async with AsyncClient(self.url, self.options) as client:
                return await getattr(client, method)(*args, **options)

        def call() -> Any:
            with Client(self.url, self.options) as client:
                return getattr(client, method)(*args, **options)

        return await asyncio.to_thread(call)

    async def stream(self, items: Iterable[Any], **options: Any) -> list[Embedding]:
        """All that a stream gives."""
        given, error = await self.stream_until_error(items, **options)
        if error is not None:
            raise error
        return given

    async def stream_until_error(
        self, items: Iterable[Any], **options: Any
    ) -> tuple[list[Embedding], Exception | None]:
        """What a stream gives, and the error that ends it."""
        given: list[Embedding] = []
        if self.is_async:
            async with AsyncClient(self.url, self.options) as client:
                try:
                    async for embedding in client.embed_stream(items, **options):
                        given.append(embedding)  # noqa: PERF401 (what came before an error counts)
                except (OnePeaceError, OSError, TypeError, ValueError) as error:
                    return given, error
            return given, None

        def read() -> Exception | None:
            with Client(self.url, self.options) as client:
                try:
                    for embedding in client.embed_stream(items, **options):
                        given.append(embedding)  # noqa: PERF402 (as above)
                except (OnePeaceError, OSError, TypeError, ValueError) as error:
                    return error
            return None

        return given, await asyncio.to_thread(read)
