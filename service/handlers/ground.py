"""Phrases to boxes."""

from __future__ import annotations

from service.context import RequestContext
from service.handlers.results import GroundResult
from service.runtime import Runtime
from service.usecases.box_scores import score_boxes
from service.usecases.items import ImageItem, TextItem
from service.wire.schemas import GroundRequest


async def ground(runtime: Runtime, context: RequestContext, wanted: GroundRequest) -> GroundResult:
    """One box for each phrase.

    Raises:
        ModelNotServed, InvalidRequest, EngineFailure, Unavailable.
    """
    source = runtime.head("grounding")
    phrases = [TextItem(phrase, f"/phrases/{i}") for i, phrase in enumerate(wanted.phrases)]
    image = ImageItem(wanted.image, "/image")
    runtime.admit_rows(context, "grounding", len(phrases))
    if wanted.scores:
        runtime.admit_items(context, [*phrases, *[image] * len(phrases)])
    boxes, note = await runtime.heads.ground(image, phrases, context.stages)
    if wanted.scores:
        boxes = await score_boxes(runtime.pipeline, image, phrases, boxes, context.stages)
    return GroundResult(source, boxes, note)
