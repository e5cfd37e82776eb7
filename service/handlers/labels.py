"""Labels: the caller's own for any item, the trained head's for a clip."""

from __future__ import annotations

from service.context import RequestContext
from service.handlers.results import LabelsResult
from service.runtime import Runtime
from service.usecases.items import AudioItem, TextItem
from service.usecases.zero_shot import classify as classify_item
from service.wire.schemas import AudioLabelsRequest, ClassifyRequest


async def classify(runtime: Runtime, context: RequestContext, wanted: ClassifyRequest) -> LabelsResult:
    """Probabilities of the caller's labels, best first.

    Raises:
        ModelNotServed, InvalidRequest, EngineFailure, Unavailable.
    """
    item = wanted.input.item("/input")
    labels = [TextItem(label, f"/labels/{i}") for i, label in enumerate(wanted.labels)]
    runtime.admit_items(context, [item, *labels])
    scored, notes = await classify_item(runtime.embedder, item, labels, wanted.template, context.stages)
    return LabelsResult(runtime.space, scored, notes)


async def label_audio(runtime: Runtime, context: RequestContext, wanted: AudioLabelsRequest) -> LabelsResult:
    """The trained head's `top_k` labels for a clip, best first.

    Raises:
        ModelNotServed, InvalidRequest, EngineFailure, Unavailable.
    """
    source = runtime.head("audio_labels")
    runtime.admit_rows(context, "audio_labels", 1)
    clip = AudioItem(wanted.audio, "/audio")
    labels, note = await runtime.heads.label_audio(clip, wanted.top_k, context.stages)
    return LabelsResult(source, labels, [note])
