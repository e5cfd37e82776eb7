"""Items to vectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from service.context import RequestContext
from service.errors import InputError, ServiceError
from service.handlers.results import EmbedResult
from service.runtime import Runtime
from service.usecases.embeddable import Embedded
from service.usecases.items import windowed
from service.usecases.windows import check_windows
from service.wire.checking import check_items
from service.wire.schemas import EmbedEnvelope


async def embed(runtime: Runtime, context: RequestContext, wanted: EmbedEnvelope) -> EmbedResult:
    """Embed every item, or say what is wrong: with the request, or under `on_error: report` with each item.

    Raises:
        ModelNotServed, InvalidRequest, EngineFailure, Unavailable.
    """
    dimensions = runtime.embedder.require_dimensions(wanted.dimensions, "/dimensions")
    items = check_items(wanted.inputs, "/inputs")
    if wanted.windows is not None:
        windows = check_windows(runtime.pipeline, "audio", wanted.windows.seconds, wanted.windows.hop, "/windows")
        items = [item if isinstance(item, InputError) else windowed(item, windows) for item in items]
    runtime.admit_items(context, items)
    admit = partial(runtime.admit_windows, context, "audio")
    outcomes: Sequence[Embedded | ServiceError]
    if wanted.on_error == "report":
        outcomes = await runtime.embedder.embed_each(items, context.stages, admit)
    else:
        outcomes = await runtime.embedder.embed_all(items, context.stages, admit)
    shortened = [outcome.shortened(dimensions) if isinstance(outcome, Embedded) else outcome for outcome in outcomes]
    return EmbedResult(runtime.space, dimensions, wanted.encoding, items, shortened)
