"""A running service, asked through the client library over HTTP or gRPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onepeace_client
from service.bulk.embedder import Identity
from service.bulk.entry import Failure
from service.bulk.errors import EngineGone, OptionError
from service.bulk.limits import InputLimits, Window
from service.bulk.row import Answer
from service.errors import EngineUnavailable
from service.media.payload import read_payload
from service.usecases.items import ImageItem, MediaItem, TextItem, TokensItem

CALLS = 4
BATCH_ITEMS = 32
"""More than the service's `bulk_items`, so that people who ask for a few go first."""
MAX_BYTES = 256 * 1024 * 1024
RETRIES = onepeace_client.RetryPolicy(patience_s=0.0)
"""The job itself is patient."""
PASSING = (
    onepeace_client.QueueFull,
    onepeace_client.RateLimited,
    onepeace_client.Unavailable,
    onepeace_client.Unreachable,
    onepeace_client.DeadlineExceeded,
)


class RemoteEmbedder:
    """Embeds at `http://…` or `grpc://…`.

    Raises (on creation):
        OptionError: the address is none, or the key has a form that no key has.
    """

    def __init__(self, url: str, api_key: str | None) -> None:
        self._url = url
        try:
            self._client = onepeace_client.AsyncClient(url, onepeace_client.Options(api_key=api_key, retries=RETRIES))
        except ValueError as error:
            raise OptionError(f"--server, ONEPEACE_API_KEY: {error}") from error
        self._info: Any = None

    async def start(self) -> Identity:
        """As `BulkEmbedder.start`."""
        try:
            self._info = info = await self._client.info()
            limits = InputLimits.of(info.limits, info.max_body_bytes)
        except onepeace_client.OnePeaceError as error:
            raise EngineGone(f"{self._url}: {error.detail}") from error
        except KeyError as error:
            raise EngineGone(f"{self._url} is not this service: it tells no {error}") from error
        return Identity(info.model, info.fingerprint, info.dimensions, limits)

    def window(self) -> Window:
        """As `BulkEmbedder.window`."""
        most = self._info.max_body_bytes
        return Window(CALLS, min(BATCH_ITEMS, self._info.max_items), most // 2, max(MAX_BYTES, most))

    async def embed(self, items: Sequence[MediaItem]) -> list[Answer | Failure]:
        """As `BulkEmbedder.embed`."""
        try:
            answer = await self._client.embed(list(map(_as_sent, items)), on_error="report")
        except PASSING as error:
            raise EngineUnavailable(f"{self._url}: {error.detail}") from error
        except (onepeace_client.ModelNotServed, onepeace_client.EngineFailure) as error:
            if len(items) == 1:
                return [Failure(error.code, error.detail)]
            return [one for item in items for one in await self.embed([item])]
        except onepeace_client.OnePeaceError as error:
            raise EngineGone(f"{self._url}: {error}") from error
        if answer.fingerprint != self._info.fingerprint:
            raise EngineGone(f"{self._url} serves another model now: {answer.fingerprint}")
        return [
            Failure(answer.errors[place].code, answer.errors[place].detail)
            if place in answer.errors
            else Answer(answer.vectors[place], dict(answer.inputs[place] or {}))
            for place in range(len(items))
        ]

    async def close(self) -> None:
        """As `BulkEmbedder.close`."""
        await self._client.close()


def _as_sent(item: MediaItem) -> Any:
    if isinstance(item, TextItem):
        return item.text
    if isinstance(item, TokensItem):
        raise TypeError("files hold no token ids")
    return (onepeace_client.Image if isinstance(item, ImageItem) else onepeace_client.Audio)(read_payload(item.payload))
