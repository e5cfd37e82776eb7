"""Labels: the caller's own for any item, the trained head's for a clip."""

from __future__ import annotations

from service.context import RequestContext
from service.runtime import Runtime
from service.usecases.items import AudioItem, TextItem, leaves
from service.usecases.results import LabelsResult
from service.usecases.windows import check_windows
from service.usecases.zero_shot import LabelChoice, check_choice, choose_templates, long_labels
from service.usecases.zero_shot import classify as classify_item
from service.wire.requests.audio_labels import AudioLabelsRequest
from service.wire.requests.classify import ClassifyRequest


async def classify(runtime: Runtime, context: RequestContext, wanted: ClassifyRequest) -> LabelsResult:
    """Probabilities of the caller's labels, best first. Only labels that are new are embedded, and admitted.

    Raises:
        ModelNotServed, InvalidRequest, EngineFailure, Unavailable.
        Unauthenticated, Forbidden, RateLimited: see `Caller.charge_items`.
    """
    item = wanted.input.item("/input")
    labels = [TextItem(label, f"/labels/{i}") for i, label in enumerate(wanted.labels)]
    templates = choose_templates(item, wanted.template, wanted.templates)
    choice = LabelChoice(labels, templates, wanted.multi_label, wanted.threshold)
    check_choice(runtime.space, choice, runtime.settings.max_queue - len(leaves(item)))
    runtime.admit_items(context, [item])
    if wrong := long_labels(choice, runtime.settings.max_text_bytes):
        await runtime.embedder.embed_all([item, *wrong], context.stages)  # names what is wrong with the item, too
    lookup = runtime.label_vectors.look_up(choice.prompts())
    chars = sum(prompt.chars for prompt in lookup.missing)
    if lookup.missing:
        context.stages.tally.add("text", len(lookup.missing))
    runtime.admission.take(context, items=len(lookup.missing), num_bytes=chars)
    context.charge_up_to(context.held_items)
    found = await classify_item(runtime.embedder, runtime.label_vectors, lookup, item, choice, context.stages)
    return LabelsResult(runtime.source, found.labels, found.notes, none_of_these=found.none_of_these)


async def label_audio(runtime: Runtime, context: RequestContext, wanted: AudioLabelsRequest) -> LabelsResult:
    """The trained head's `top_k` labels for a clip, best first.

    Raises:
        ModelNotServed, InvalidRequest, EngineFailure, Unavailable.
    """
    model = "audio_labels"
    source = runtime.head(model)
    runtime.admit_rows(context, model, 1)
    if wanted.windows is None:
        clip = AudioItem(wanted.audio, "/audio")
        labels, note = await runtime.audio_labeller.label_audio(clip, wanted.top_k, context.stages)
        return LabelsResult(source, labels, [note])
    windows = check_windows(runtime.pipeline, model, wanted.windows.seconds, wanted.windows.hop, "/windows")
    clip = AudioItem(wanted.audio, "/audio", windows)
    room = runtime.room(context)
    labels, note, each = await runtime.audio_labeller.label_windows(clip, wanted.top_k, context.stages, room)
    return LabelsResult(source, labels, [note], each)
