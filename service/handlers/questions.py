"""Questions to the trained heads: about a picture, about a clip, about two pictures."""

from __future__ import annotations

from service.context import RequestContext
from service.runtime import Runtime
from service.usecases.items import AudioItem, ImageItem, TextItem
from service.usecases.results import LabelsResult, PairResult
from service.wire.requests.questions import AudioQaRequest, ImagePairRequest, VqaRequest


async def ask_about_image(runtime: Runtime, context: RequestContext, wanted: VqaRequest) -> LabelsResult:
    """The trained answers, best first.

    Raises:
        ModelNotServed, InvalidRequest, EngineFailure, Unavailable.
    """
    source = runtime.head("vqa")
    image, question = ImageItem(wanted.image, "/image"), TextItem(wanted.question, "/question")
    runtime.admit_rows(context, "vqa", 1)
    labels, note = await runtime.questions.answer_about_image(image, question, wanted.top_k, context.stages)
    return LabelsResult(source, labels, [note])


async def ask_about_audio(runtime: Runtime, context: RequestContext, wanted: AudioQaRequest) -> LabelsResult:
    """The caller's candidates, best first.

    Raises:
        ModelNotServed, InvalidRequest, EngineFailure, Unavailable.
    """
    source = runtime.head("audio_qa")
    clip, question = AudioItem(wanted.audio, "/audio"), TextItem(wanted.question, "/question")
    candidates = [TextItem(answer, f"/candidates/{i}") for i, answer in enumerate(wanted.candidates)]
    runtime.admit_rows(context, "audio_qa", len(candidates))
    labels, note = await runtime.questions.answer_about_audio(clip, question, candidates, context.stages)
    return LabelsResult(source, labels, [note])


async def judge_pair(runtime: Runtime, context: RequestContext, wanted: ImagePairRequest) -> PairResult:
    """The probability that a sentence is true of two pictures together.

    Raises:
        ModelNotServed, InvalidRequest, EngineFailure, Unavailable.
    """
    source = runtime.head("image_pair")
    images = [ImageItem(wanted.image, "/image"), ImageItem(wanted.image_2, "/image_2")]
    runtime.admit_rows(context, "image_pair", 1)
    sentence = TextItem(wanted.text, "/text")
    return PairResult(source, await runtime.questions.judge_pair(images, sentence, context.stages))
