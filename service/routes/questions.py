"""`POST /vqa`, `/audio/qa`, `/image-pair`: questions, when such a model is in the repository."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.errors import ModelNotServed
from service.handlers import questions as handler
from service.routes.lean import LeanRoute, documented
from service.runtime import context_of, runtime_of
from service.wire.answer_schemas import LabelsAnswer, PairAnswer
from service.wire.answers import labels_answer, pair_answer
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
    runtime.head("vqa")  # a model that is missing is told before the body is read
    wanted = await runtime.read(request, VqaRequest, VQA_FORM)
    return labels_answer(await handler.ask_about_image(runtime, context, wanted))


@router.post(
    "/audio/qa",
    summary="A question about a clip",
    **documented(AudioQaRequest, LabelsAnswer, AUDIO_QA_FORM, ModelNotServed),
)
async def audio_qa(request: Request) -> Response:
    """The caller's candidate answers with probabilities, best first."""
    runtime, context = runtime_of(request), context_of(request)
    runtime.head("audio_qa")  # a model that is missing is told before the body is read
    wanted = await runtime.read(request, AudioQaRequest, AUDIO_QA_FORM)
    return labels_answer(await handler.ask_about_audio(runtime, context, wanted))


@router.post(
    "/image-pair",
    summary="A sentence about two images",
    **documented(ImagePairRequest, PairAnswer, PAIR_FORM, ModelNotServed),
)
async def image_pair(request: Request) -> Response:
    """The probability that the sentence is true of the two images together."""
    runtime, context = runtime_of(request), context_of(request)
    runtime.head("image_pair")  # a model that is missing is told before the body is read
    wanted = await runtime.read(request, ImagePairRequest, PAIR_FORM)
    return pair_answer(await handler.judge_pair(runtime, context, wanted))
