"""`POST /vqa`, `/audio/qa`, `/image-pair`: questions, when such a model is in the repository."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.errors import ModelNotServed
from service.routes.lean import LeanRoute, documented
from service.runtime import context_of, runtime_of
from service.usecases.items import AudioItem, ImageItem, TextItem
from service.usecases.results import LabelsResult
from service.wire.answer_schemas import LabelsAnswer, PairAnswer
from service.wire.answers import json_response, labels_answer, source_body
from service.wire.form import FormRule
from service.wire.requests.questions import AudioQaRequest, ImagePairRequest, VqaRequest

router = APIRouter(route_class=LeanRoute)
VQA_FORM = {
    "image": FormRule("image", binary=True),
    "question": FormRule("question"),
    "top_k": FormRule("top_k"),
}
AUDIO_QA_FORM = {
    "audio": FormRule("audio", binary=True),
    "question": FormRule("question"),
    "candidate": FormRule("candidates", many=True),
}
PAIR_FORM = {
    "image": FormRule("image", binary=True),
    "image_2": FormRule("image_2", binary=True),
    "text": FormRule("text"),
}


@router.post(
    "/vqa", summary="A question about an image", **documented(VqaRequest, LabelsAnswer, VQA_FORM, ModelNotServed)
)
async def vqa(request: Request) -> Response:
    """The trained answers with probabilities, best first."""
    runtime, context = runtime_of(request), context_of(request)
    source = runtime.head("vqa")
    wanted = await runtime.read(request, VqaRequest, VQA_FORM)
    image, question = ImageItem(wanted.image, "/image"), TextItem(wanted.question, "/question")
    runtime.admit_rows(context, "vqa", 1)
    labels, note = await runtime.questions.answer_about_image(image, question, wanted.top_k, context.stages)
    return labels_answer(LabelsResult(source, labels, [note]))


@router.post(
    "/audio/qa",
    summary="A question about a clip",
    **documented(AudioQaRequest, LabelsAnswer, AUDIO_QA_FORM, ModelNotServed),
)
async def audio_qa(request: Request) -> Response:
    """The caller's candidate answers with probabilities, best first."""
    runtime, context = runtime_of(request), context_of(request)
    source = runtime.head("audio_qa")
    wanted = await runtime.read(request, AudioQaRequest, AUDIO_QA_FORM)
    clip, question = AudioItem(wanted.audio, "/audio"), TextItem(wanted.question, "/question")
    candidates = [TextItem(answer, f"/candidates/{i}") for i, answer in enumerate(wanted.candidates)]
    runtime.admit_rows(context, "audio_qa", len(candidates))
    labels, note = await runtime.questions.answer_about_audio(clip, question, candidates, context.stages)
    return labels_answer(LabelsResult(source, labels, [note]))


@router.post(
    "/image-pair",
    summary="A sentence about two images",
    **documented(ImagePairRequest, PairAnswer, PAIR_FORM, ModelNotServed),
)
async def image_pair(request: Request) -> Response:
    """The probability that the sentence is true of the two images together."""
    runtime, context = runtime_of(request), context_of(request)
    source = runtime.head("image_pair")
    wanted = await runtime.read(request, ImagePairRequest, PAIR_FORM)
    images = [ImageItem(wanted.image, "/image"), ImageItem(wanted.image_2, "/image_2")]
    runtime.admit_rows(context, "image_pair", 1)
    probability = await runtime.questions.judge_pair(images, TextItem(wanted.text, "/text"), context.stages)
    return json_response({**source_body(source), "probability": probability})
