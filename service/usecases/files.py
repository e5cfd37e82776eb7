"""The files of items that name them by URL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from service.admission import UNACCOUNTED, Room
from service.context import Stages
from service.errors import InputError
from service.fetching.media_urls import MediaUrls
from service.media.payload import is_url
from service.usecases.items import AudioItem, ImageItem, TextItem, TokensItem, VectorItem

Leaf = TypeVar("Leaf", bound=TextItem | TokensItem | ImageItem | AudioItem | VectorItem)


@asynccontextmanager
async def fetched(
    urls: MediaUrls, items: Sequence[Leaf], stages: Stages, room: Room = UNACCOUNTED
) -> AsyncIterator[Sequence[Leaf]]:
    """The same items with files in the place of URLs; they are accounted for until the exit, so decode them before.

    An item whose file could not be had holds its InputError, which is raised where the file would be read.

    Raises:
        QueueFull, DeadlineExceeded: see `MediaUrls.fetched`.
    """
    named = [item.payload for item in items if isinstance(item, ImageItem | AudioItem) and is_url(item.payload)]
    if not named:
        yield items
        return
    async with urls.fetched(named, stages, room) as files:
        yield [
            replace(item, payload=_own(files[item.payload]))
            if isinstance(item, ImageItem | AudioItem) and is_url(item.payload)
            else item
            for item in items
        ]


def _own(file: bytes | InputError) -> bytes | InputError:
    """For each item an error of its own, because each item gives its error a pointer of its own."""
    if isinstance(file, InputError):
        return type(file)(file.detail, limit=file.limit, actual=file.actual)
    return file
