"""Phrases to boxes."""

from __future__ import annotations

from service.context import RequestContext
from service.runtime import Runtime
from service.usecases.files import fetched
from service.usecases.items import ImageItem, TextItem
from service.usecases.results import GroundResult
from service.wire.requests.ground import GroundRequest


async def ground(runtime: Runtime, context: RequestContext, wanted: GroundRequest) -> GroundResult:
    """One box for each phrase.

    Raises:
        ModelNotServed, InvalidRequest, EngineFailure, Unavailable.
    """
    source = runtime.head("grounding")
    phrases = [TextItem(phrase, f"/phrases/{i}") for i, phrase in enumerate(wanted.phrases)]
    image = ImageItem(wanted.image, "/image")
    runtime.admit_rows(context, "grounding", len(phrases), crops=len(phrases) if wanted.scores else 0)
    if not wanted.scores:
        boxes, note = await runtime.grounder.ground(image, phrases, context.stages)
        return GroundResult(source, boxes, note)
    async with fetched(runtime.pipeline.urls, [image], context.stages) as (file,):  # once for both
        boxes, note = await runtime.grounder.ground(file, phrases, context.stages)
        boxes = await runtime.grounder.score_boxes(file, phrases, boxes, context.stages)
    return GroundResult(source, boxes, note)
