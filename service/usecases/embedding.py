"""Items to vectors: prepare every part, run the good ones in batches, fuse what belongs together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.batching.row_queue import Priority, RowResult
from service.context import Stages
from service.errors import EngineFailure, FingerprintMismatch, InputError, InvalidField, InvalidRequest
from service.pipeline import Pipeline
from service.preprocessing import Note, Prepared, audio_row, image_row, text_row
from service.repository import EMBEDDING_MODELS, ModelFolder, space_fingerprint
from service.usecases.items import (
    AudioItem,
    FusedItem,
    ImageItem,
    Item,
    MediaItem,
    TextItem,
    VectorItem,
    leaves,
    modality,
)
from service.usecases.quantization import shorten

Vector = NDArray[np.float32]
Ready = Prepared | Vector
MIN_FUSED_NORM = 1e-6
"""Of Σ|w|: float32 vectors agree to about 1e-7, so what is below is rounding."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """One item's vector: float32 [D], L2 norm 1. `notes` say what was done to the item (a fused one: to each part)."""

    modality: str
    vector: Vector
    notes: tuple[Note, ...]

    def shortened(self, dimensions: int) -> Embedded:
        """With the first `dimensions` numbers of the vector, L2-normalised anew."""
        return replace(self, vector=shorten(self.vector, dimensions))


@dataclass(slots=True)
class _Parts:
    """One item taken apart: what became of each part."""

    item: Item | InputError
    ready: list[Ready | InputError | None]

    def errors(self) -> list[InputError]:
        if isinstance(self.item, InputError):
            return [self.item]
        return [part for part in self.ready if isinstance(part, InputError)]


class Embedder:
    """Embeds items of all modalities in the one space that the repository's models share."""

    def __init__(self, models: dict[str, ModelFolder], pipeline: Pipeline, *, bulk_items: int) -> None:
        self._models, self._pipeline, self._bulk_items = models, pipeline, bulk_items
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

    async def embed_all(self, items: Sequence[Item | InputError], stages: Stages) -> list[Embedded]:
        """Embed every item, or none. An item may be an error already, if its form was wrong.

        Raises:
            InvalidRequest: names every wrong item.
            EngineFailure: the model failed on one.
        """
        parts = await self._prepare(items, stages)
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
        self, items: Sequence[Item | InputError], stages: Stages
    ) -> list[Embedded | InputError | EngineFailure]:
        """Embed what can be embedded; a wrong item gives its error in its place and harms no other."""
        return await self._run(await self._prepare(items, stages), stages)

    async def _prepare(self, items: Sequence[Item | InputError], stages: Stages) -> list[_Parts]:
        parts = [_Parts(item, [None] * len(_leaves(item))) for item in items]
        every = [(part, place, leaf) for part in parts for place, leaf in enumerate(_leaves(part.item))]
        texts = [(part, place, leaf) for part, place, leaf in every if isinstance(leaf, TextItem)]
        media = [(part, place, leaf) for part, place, leaf in every if isinstance(leaf, ImageItem | AudioItem)]
        for part, place, leaf in every:
            if isinstance(leaf, VectorItem):
                part.ready[place] = self._check_vector(leaf)
        if texts:
            self._pipeline.preprocessor.model("text")
            encoded = await self._pipeline.prepare_texts("text", [leaf.text for _, _, leaf in texts], stages)
            for (part, place, leaf), text in zip(texts, encoded, strict=True):
                part.ready[place] = _located(text, leaf) if isinstance(text, InputError) else text_row("text", text)
        if media:
            prepared = await self._pipeline.prepare([self._job(leaf) for _, _, leaf in media], stages)
            for (part, place, leaf), row in zip(media, prepared, strict=True):
                part.ready[place] = _located(row, leaf) if isinstance(row, InputError) else row
        return parts

    def _job(self, leaf: MediaItem) -> partial[Prepared]:
        preprocessor = self._pipeline.preprocessor
        if isinstance(leaf, ImageItem):
            preprocessor.model("image")
            return partial(lambda item: image_row("image", preprocessor.image("image", item.payload)), leaf)
        preprocessor.model("audio")
        return partial(lambda item: audio_row("audio", preprocessor.audio("audio", item.payload)), leaf)

    def _check_vector(self, item: VectorItem) -> Vector | InputError:
        """A caller's own vector, L2-normalised."""
        if item.fingerprint is not None and item.fingerprint not in self._known:
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
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    async def _run(self, parts: list[_Parts], stages: Stages) -> list[Embedded | InputError | EngineFailure]:
        good = [part for part in parts if not part.errors()]
        rows = [row for part in good for row in part.ready if isinstance(row, Prepared)]
        priority = Priority.BULK if len(rows) > self._bulk_items else Priority.INTERACTIVE
        results = iter(await self._pipeline.run(rows, priority, stages) if rows else [])
        answers: list[Embedded | InputError | EngineFailure] = []
        for part in parts:
            if errors := part.errors():
                answers.append(errors[0])
                continue
            outcomes = [next(results) if isinstance(row, Prepared) else row for row in part.ready]
            if not isinstance(part.item, InputError):
                answers.append(_assemble(part.item, part, outcomes))
        return answers


def _leaves(item: Item | InputError) -> tuple[MediaItem | VectorItem, ...]:
    return () if isinstance(item, InputError) else leaves(item)


def _located(error: InputError, leaf: MediaItem) -> InputError:
    error.pointer = leaf.pointer
    return error


def _assemble(item: Item, part: _Parts, outcomes: Sequence[object]) -> Embedded | InputError | EngineFailure:
    vectors: list[Vector] = []
    for outcome in outcomes:
        if isinstance(outcome, EngineFailure):
            return outcome
        vectors.append(outcome.output if isinstance(outcome, RowResult) else np.asarray(outcome))
    notes = tuple(row.note if isinstance(row, Prepared) else {} for row in part.ready)
    kind = modality(item)
    if not isinstance(item, FusedItem):
        return Embedded(kind, vectors[0], notes)
    fused = _fuse(vectors, item.weights)
    if fused is None:
        return InvalidField("the parts cancel each other out: their weighted sum is zero", pointer=item.pointer)
    return Embedded(kind, fused, notes)


def _fuse(vectors: Sequence[Vector], weights: Sequence[float]) -> Vector | None:
    """Σ wᵢ·vᵢ, L2-normalised, [D]; None when nothing but rounding is left of it.

    Only the weights' ratios matter, so they are scaled to a largest of 1 first: none overflows, none vanishes.
    """
    largest = max(abs(weight) for weight in weights)
    if largest == 0.0:
        return None
    scaled = np.asarray(weights, dtype=np.float64) / largest
    fused = scaled @ np.stack(vectors).astype(np.float64)
    norm = float(np.linalg.norm(fused))
    if norm < MIN_FUSED_NORM * float(np.abs(scaled).sum()):
        return None
    return (fused / norm).astype(np.float32)
