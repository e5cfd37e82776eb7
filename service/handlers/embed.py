"""Items to vectors."""

from __future__ import annotations

from collections.abc import Sequence

from service.admission import Room
from service.batching.row_queue import Priority
from service.context import RequestContext
from service.errors import InputError, ServiceError
from service.media.audio_windows import Windows
from service.runtime import Runtime
from service.usecases.embeddable import Embedded
from service.usecases.items import windowed
from service.usecases.results import EmbedResult
from service.usecases.windows import check_windows
from service.wire.checking import check_items
from service.wire.requests.embed import EmbedEnvelope, EmbedOptions


def read_options(runtime: Runtime, wanted: EmbedOptions) -> tuple[int, Windows | None]:
    """The length of the vectors, and the windows of clips.

    Raises:
        ModelNotServed, InvalidRequest.
    """
    dimensions = runtime.space.require_dimensions(wanted.dimensions, "/dimensions")
    if wanted.windows is None:
        return dimensions, None
    return dimensions, check_windows(runtime.pipeline, "audio", wanted.windows.seconds, wanted.windows.hop, "/windows")


async def embed(
    runtime: Runtime,
    context: RequestContext,
    wanted: EmbedEnvelope,
    room: Room | None = None,
    priority: Priority | None = None,
) -> EmbedResult:
    """Embed every item, or say what is wrong: with the request, or under `on_error: report` with each item.

    The context's own `room` refuses what has none; `priority` as in `Pipeline.run`.

    Raises:
        ModelNotServed, InvalidRequest, EngineFailure, Unavailable.
    """
    dimensions, windows = read_options(runtime, wanted)
    items = check_items(wanted.inputs, "/inputs")
    if windows is not None:
        items = [item if isinstance(item, InputError) else windowed(item, windows) for item in items]
    room = room or runtime.room(context)
    demand = runtime.tally(context, items)
    await room.take(items=demand.items, num_bytes=demand.num_bytes)
    outcomes: Sequence[Embedded | ServiceError]
    if wanted.on_error == "report":
        outcomes = await runtime.embedder.embed_each(items, context.stages, room, priority)
    else:
        outcomes = await runtime.embedder.embed_all(items, context.stages, room)
    shortened = [outcome.shortened(dimensions) if isinstance(outcome, Embedded) else outcome for outcome in outcomes]
    return EmbedResult(runtime.source, dimensions, wanted.encoding, items, shortened, windows is not None)
