"""Items to vectors: have every part prepared, run the good ones in batches, fuse what belongs together."""

from __future__ import annotations

from collections.abc import Sequence

from service.admission import UNACCOUNTED, Room
from service.batching.row_queue import Priority, RowResult
from service.context import Stages
from service.errors import EngineFailure, InputError, InvalidField, InvalidRequest
from service.pipeline import Pipeline
from service.usecases.embeddable import Embeddable, Embedded, PartVector, Vector, fuse
from service.usecases.items import FusedItem, Item, modality
from service.usecases.parts import PartReader, Parts
from service.usecases.space import EmbeddingSpace


class Embedder:
    """Embeds items of all modalities in the one space that the repository's models share."""

    def __init__(self, space: EmbeddingSpace, pipeline: Pipeline) -> None:
        self.space = space
        self._pipeline, self._parts = pipeline, PartReader(space, pipeline)

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
        parts = await self._parts.read(items, stages, room)
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
        return await self._run(await self._parts.read(items, stages, room), stages, priority)

    async def _run(
        self, parts: list[Parts], stages: Stages, priority: Priority | None = None
    ) -> list[Embedded | InputError | EngineFailure]:
        good = [part for part in parts if not part.errors()]
        rows = [row for part in good for ready in part.embeddables() for row in ready.rows]
        results = await self._pipeline.run(rows, stages, priority) if rows else []
        answers: list[Embedded | InputError | EngineFailure] = []
        start = 0
        for part in parts:
            if errors := part.errors():
                answers.append(errors[0])
                continue
            collected: list[PartVector | EngineFailure] = []
            for ready in part.embeddables():
                end = start + len(ready.rows)
                collected.append(_collect(ready, results[start:end]))
                start = end
            if not isinstance(part.item, InputError):
                answers.append(_assemble(part.item, collected))
        return answers


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
