"""Items to vectors: prepare every part, run the good ones in batches, fuse what belongs together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.admission import UNACCOUNTED, Room
from service.batching.row_queue import Priority, RowResult
from service.context import Stages
from service.decoding.orders import Order
from service.errors import EngineFailure, FingerprintMismatch, InputError, InvalidField, InvalidRequest
from service.media.audio import DecodedAudio
from service.media.image import DecodedImage
from service.pipeline import Pipeline
from service.preprocessing import Prepared, audio_row, image_row, text_row
from service.repository import EMBEDDING_MODELS, ModelFolder, space_fingerprint
from service.usecases.embeddable import (
    Embeddable,
    Embedded,
    GivenVector,
    PartVector,
    SingleRow,
    Vector,
    WindowRows,
    fuse,
)
from service.usecases.files import fetched
from service.usecases.items import (
    AudioItem,
    FusedItem,
    ImageItem,
    Item,
    MediaItem,
    TextItem,
    TokensItem,
    VectorItem,
    leaves,
    modality,
)
from service.usecases.windows import prepare_windows


@dataclass(slots=True)
class _Parts:
    """One item taken apart: what became of each part."""

    item: Item | InputError
    ready: list[Embeddable | InputError | None]

    def errors(self) -> list[InputError]:
        if isinstance(self.item, InputError):
            return [self.item]
        return [part for part in self.ready if isinstance(part, InputError)]


_Place = tuple[_Parts, int]
"""Where a part stands in its item."""


class Embedder:
    """Embeds items of all modalities in the one space that the repository's models share."""

    def __init__(self, models: dict[str, ModelFolder], pipeline: Pipeline) -> None:
        self._models, self._pipeline = models, pipeline
        self.fingerprint = space_fingerprint(models)
        self._known = {
            self.fingerprint,
            *(models[name].card.fingerprint for name in EMBEDDING_MODELS if name in models),
        }
        cards = [models[name].card for name in EMBEDDING_MODELS if name in models]
        self.dimensions = cards[0].embedding_dim or 0 if cards else 0
        trained = [set(card.trained_dimensions) for card in cards]
        self._trained_dimensions = set.intersection(*trained) if trained else set()
        self.logit_scale = next((card.logit_scale for card in cards if card.logit_scale is not None), None)

    def require_dimensions(self, wanted: int | None, pointer: str) -> int:
        """The length that vectors shall have: all that there are when `wanted` is None.

        Raises:
            InvalidRequest: the models were not trained for vectors cut to this length.
        """
        if wanted is None or wanted == self.dimensions:
            return self.dimensions
        if wanted not in self._trained_dimensions:
            known = ", ".join(map(str, (*sorted(self._trained_dimensions), self.dimensions)))
            detail = f"the model was not trained for vectors of {wanted} numbers, only for {known}"
            raise InvalidRequest([InvalidField(detail, limit=self.dimensions, actual=wanted, pointer=pointer)])
        return wanted

    async def embed_all(
        self, items: Sequence[Item | InputError], stages: Stages, room: Room = UNACCOUNTED
    ) -> list[Embedded]:
        """Embed every item, or none. An item may be an error already, if its form was wrong.

        `room` accounts for long clips, and for their windows beyond the first.

        Raises:
            InvalidRequest: names every wrong item.
            EngineFailure: the model failed on one.
            QueueFull: there is no room for long clips, or for fetched files.
        """
        parts = await self._prepare(items, stages, room)
        if wrong := [error for part in parts for error in part.errors()]:
            raise InvalidRequest(wrong)
        results = await self._run(parts, stages)
        if wrong := [result for result in results if isinstance(result, InputError)]:
            raise InvalidRequest(wrong)
        for result in results:
            if isinstance(result, EngineFailure):
                raise result
        return [result for result in results if isinstance(result, Embedded)]

    async def embed_each(
        self,
        items: Sequence[Item | InputError],
        stages: Stages,
        room: Room = UNACCOUNTED,
        priority: Priority | None = None,
    ) -> list[Embedded | InputError | EngineFailure]:
        """Embed what can be embedded; a wrong item gives its error in its place and harms no other.

        `room` as in `embed_all`; `priority` as in `Pipeline.run`.
        """
        return await self._run(await self._prepare(items, stages, room), stages, priority)

    async def _prepare(self, items: Sequence[Item | InputError], stages: Stages, room: Room) -> list[_Parts]:
        parts = [_Parts(item, [None] * len(_leaves(item))) for item in items]
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
                        part.ready[place] = self._check_vector(leaf)
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
            ready = _located(text, leaf, stages) if isinstance(text, InputError) else SingleRow(text_row("text", text))
            part.ready[place] = ready

    async def _prepare_media(self, media: Sequence[tuple[_Place, ImageItem | AudioItem]], stages: Stages) -> None:
        orders: list[Order[Any]] = [self._order(leaf) for _, leaf in media]
        decoded = await self._pipeline.decode(orders, stages) if media else []
        for ((part, place), leaf), file in zip(media, decoded, strict=True):
            part.ready[place] = _located(file, leaf, stages) if isinstance(file, InputError) else SingleRow(_row(file))

    async def _prepare_long(self, clips: Sequence[tuple[_Place, AudioItem]], stages: Stages, room: Room) -> None:
        if not clips:
            return
        prepared = await prepare_windows(self._pipeline, "audio", [leaf for _, leaf in clips], room, stages)
        for ((part, place), leaf), clip in zip(clips, prepared, strict=True):
            part.ready[place] = _located(clip, leaf, stages) if isinstance(clip, InputError) else WindowRows(clip)

    def _order(self, leaf: ImageItem | AudioItem) -> Order[DecodedImage] | Order[DecodedAudio]:
        preprocessor = self._pipeline.preprocessor
        if isinstance(leaf, ImageItem):
            return preprocessor.image("image", leaf.payload)
        return preprocessor.audio("audio", leaf.payload)

    def _check_vector(self, item: VectorItem) -> GivenVector | InputError:
        """A caller's own vector, L2-normalised."""
        if item.fingerprint is not None and item.fingerprint.lower() not in self._known:
            return FingerprintMismatch("the vector was made by another model", pointer=f"{item.pointer}/fingerprint")
        vector = np.asarray(item.vector, dtype=np.float64)
        pointer = f"{item.pointer}/embedding"
        if len(vector) != self.dimensions:
            detail = f"a vector has {self.dimensions} numbers here"
            return InvalidField(detail, limit=self.dimensions, actual=len(vector), pointer=pointer)
        largest = float(np.abs(vector).max())
        if not np.isfinite(largest) or largest == 0.0:
            return InvalidField("a vector must be finite and not zero", pointer=pointer)
        vector = vector / largest  # so that no square overflows
        return GivenVector((vector / np.linalg.norm(vector)).astype(np.float32))

    async def _run(
        self, parts: list[_Parts], stages: Stages, priority: Priority | None = None
    ) -> list[Embedded | InputError | EngineFailure]:
        good = [part for part in parts if not part.errors()]
        rows = [row for part in good for ready in _embeddables(part) for row in ready.rows]
        results = await self._pipeline.run(rows, stages, priority) if rows else []
        answers: list[Embedded | InputError | EngineFailure] = []
        start = 0
        for part in parts:
            if errors := part.errors():
                answers.append(errors[0])
                continue
            collected: list[PartVector | EngineFailure] = []
            for ready in _embeddables(part):
                end = start + len(ready.rows)
                collected.append(_collect(ready, results[start:end]))
                start = end
            if not isinstance(part.item, InputError):
                answers.append(_assemble(part.item, collected))
        return answers


def _leaves(item: Item | InputError) -> tuple[MediaItem | VectorItem, ...]:
    return () if isinstance(item, InputError) else leaves(item)


def _row(file: DecodedImage | DecodedAudio) -> Prepared:
    return image_row("image", file) if isinstance(file, DecodedImage) else audio_row("audio", file)


def _embeddables(part: _Parts) -> list[Embeddable]:
    return [ready for ready in part.ready if ready is not None and not isinstance(ready, InputError)]


def _located(error: InputError, leaf: MediaItem, stages: Stages) -> InputError:
    stages.tally.failed(modality(leaf), error.code)
    error.pointer = leaf.pointer
    return error


def _collect(ready: Embeddable, results: Sequence[RowResult | EngineFailure]) -> PartVector | EngineFailure:
    outputs: list[Vector] = []
    for result in results:
        if isinstance(result, EngineFailure):
            return result
        outputs.append(result.output)
    return ready.collect(outputs)


def _assemble(item: Item, parts: Sequence[PartVector | EngineFailure]) -> Embedded | InputError | EngineFailure:
    vectors: list[Vector] = []
    notes = []
    for part in parts:
        if isinstance(part, EngineFailure):
            return part
        if part.vector is None:
            return InvalidField("the windows cancel each other out: their mean is zero", pointer=item.pointer)
        vectors.append(part.vector)
        notes.append(part.note)
    kind = modality(item)
    if not isinstance(item, FusedItem):
        windows = parts[0].windows if isinstance(parts[0], PartVector) else ()
        return Embedded(kind, vectors[0], tuple(notes), windows)
    fused = fuse(vectors, item.weights)
    if fused is None:
        return InvalidField("the parts cancel each other out: their weighted sum is zero", pointer=item.pointer)
    return Embedded(kind, fused, tuple(notes))
