"""Items taken apart: each text, picture, clip and vector is fetched, decoded and checked by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.admission import Room
from service.context import Stages
from service.decoding.orders import Order
from service.errors import InputError
from service.media.audio import DecodedAudio
from service.media.image import DecodedImage
from service.pipeline import Pipeline
from service.preprocessing import Prepared, audio_row, image_row, text_row
from service.usecases.embeddable import Embeddable, SingleRow, WindowRows
from service.usecases.files import fetched
from service.usecases.items import (
    AudioItem,
    ImageItem,
    Item,
    MediaItem,
    TextItem,
    TokensItem,
    VectorItem,
    leaves,
)
from service.usecases.refusals import refused
from service.usecases.space import EmbeddingSpace
from service.usecases.windows import prepare_windows


@dataclass(slots=True)
class Parts:
    """One item taken apart: what became of each part."""

    item: Item | InputError
    ready: list[Embeddable | InputError | None]

    def errors(self) -> list[InputError]:
        """What is wrong with the item as a whole, or with its parts."""
        if isinstance(self.item, InputError):
            return [self.item]
        return [part for part in self.ready if isinstance(part, InputError)]

    def embeddables(self) -> list[Embeddable]:
        """The parts, once they are prepared and none is wrong."""
        return [part for part in self.ready if part is not None and not isinstance(part, InputError)]


_Place = tuple[Parts, int]
"""Where a part stands in its item."""


class PartReader:
    """Makes rows for the engine of what callers sent."""

    def __init__(self, space: EmbeddingSpace, pipeline: Pipeline) -> None:
        self._space, self._pipeline = space, pipeline

    async def read(self, items: Sequence[Item | InputError], stages: Stages, room: Room) -> list[Parts]:
        """Every item's parts, ready or wrong. `room` as in `Embedder.embed_all`.

        Raises:
            ModelNotServed: the repository lacks the model of a part.
            InvalidRequest, QueueFull, DeadlineExceeded: see `prepare_windows` and `fetched`.
        """
        parts = [Parts(item, [None] * len(_leaves(item))) for item in items]
        texts: list[tuple[_Place, TextItem | TokensItem]] = []
        media: list[tuple[_Place, ImageItem | AudioItem]] = []
        long: list[tuple[_Place, AudioItem]] = []
        places = [(part, place) for part in parts for place in range(len(part.ready))]
        every = [leaf for part in parts for leaf in _leaves(part.item)]
        async with fetched(self._pipeline.urls, every, stages, room) as found:
            for at, leaf in zip(places, found, strict=True):
                match leaf:
                    case TextItem() | TokensItem():
                        texts.append((at, leaf))
                    case AudioItem() if leaf.windows is not None:
                        long.append((at, leaf))
                    case ImageItem() | AudioItem():
                        media.append((at, leaf))
                    case VectorItem():
                        part, place = at
                        part.ready[place] = self._space.check_vector(leaf)
            await self._prepare_long(long, stages, room)  # first: it may have to wait for room
            await self._prepare_texts(texts, stages)
            await self._prepare_media(media, stages)
        return parts

    async def _prepare_texts(self, texts: Sequence[tuple[_Place, TextItem | TokensItem]], stages: Stages) -> None:
        if not texts:
            return
        self._pipeline.preprocessor.model("text")
        sources = [leaf.text if isinstance(leaf, TextItem) else leaf.ids for _, leaf in texts]
        encoded = await self._pipeline.prepare_texts("text", sources, stages)
        for ((part, place), leaf), text in zip(texts, encoded, strict=True):
            ready = refused(text, leaf, stages) if isinstance(text, InputError) else SingleRow(text_row("text", text))
            part.ready[place] = ready

    async def _prepare_media(self, media: Sequence[tuple[_Place, ImageItem | AudioItem]], stages: Stages) -> None:
        orders: list[Order[Any]] = [self._order(leaf) for _, leaf in media]
        decoded = await self._pipeline.decode(orders, stages) if media else []
        for ((part, place), leaf), file in zip(media, decoded, strict=True):
            part.ready[place] = refused(file, leaf, stages) if isinstance(file, InputError) else SingleRow(_row(file))

    async def _prepare_long(self, clips: Sequence[tuple[_Place, AudioItem]], stages: Stages, room: Room) -> None:
        if not clips:
            return
        prepared = await prepare_windows(self._pipeline, "audio", [leaf for _, leaf in clips], room, stages)
        for ((part, place), leaf), clip in zip(clips, prepared, strict=True):
            part.ready[place] = refused(clip, leaf, stages) if isinstance(clip, InputError) else WindowRows(clip)

    def _order(self, leaf: ImageItem | AudioItem) -> Order[DecodedImage] | Order[DecodedAudio]:
        preprocessor = self._pipeline.preprocessor
        if isinstance(leaf, ImageItem):
            return preprocessor.image("image", leaf.payload)
        return preprocessor.audio("audio", leaf.payload)


def _leaves(item: Item | InputError) -> tuple[MediaItem | VectorItem, ...]:
    return () if isinstance(item, InputError) else leaves(item)


def _row(file: DecodedImage | DecodedAudio) -> Prepared:
    return image_row("image", file) if isinstance(file, DecodedImage) else audio_row("audio", file)
