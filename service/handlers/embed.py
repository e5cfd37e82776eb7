"""Items to vectors."""

from __future__ import annotations

from collections.abc import Sequence

from service.context import RequestContext
from service.errors import ServiceError
from service.handlers.results import EmbedResult
from service.runtime import Runtime
from service.usecases.embedding import Embedded
from service.wire.checking import check_items
from service.wire.schemas import EmbedEnvelope


async def embed(runtime: Runtime, context: RequestContext, wanted: EmbedEnvelope) -> EmbedResult:
    """Embed every item, or say what is wrong: with the request, or under `on_error: report` with each item.

    Raises:
        ModelNotServed, InvalidRequest, EngineFailure, Unavailable.
    """
    dimensions = runtime.embedder.require_dimensions(wanted.dimensions, "/dimensions")
    items = check_items(wanted.inputs, "/inputs")
    runtime.admit_items(context, items)
    outcomes: Sequence[Embedded | ServiceError]
    if wanted.on_error == "report":
        outcomes = await runtime.embedder.embed_each(items, context.stages)
    else:
        outcomes = await runtime.embedder.embed_all(items, context.stages)
    shortened = [outcome.shortened(dimensions) if isinstance(outcome, Embedded) else outcome for outcome in outcomes]
    return EmbedResult(runtime.space, dimensions, wanted.encoding, items, shortened)
