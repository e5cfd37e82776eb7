"""Phrases to boxes."""

from __future__ import annotations

from service.context import RequestContext
from service.handlers.results import GroundResult
from service.runtime import Runtime
from service.usecases.items import ImageItem, TextItem
from service.wire.schemas import GroundRequest


async def ground(runtime: Runtime, context: RequestContext, wanted: GroundRequest) -> GroundResult:
    """One box for each phrase.

    Raises:
        ModelNotServed, InvalidRequest, EngineFailure, Unavailable.
    """
    source = runtime.head("grounding")
    phrases = [TextItem(phrase, f"/phrases/{i}") for i, phrase in enumerate(wanted.phrases)]
    runtime.admit_rows(context, "grounding", len(phrases))
    boxes, note = await runtime.heads.ground(ImageItem(wanted.image, "/image"), phrases, context.stages)
    return GroundResult(source, boxes, note)
