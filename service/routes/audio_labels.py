"""`POST /audio/labels`: what a clip sounds like, by the trained head."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.errors import ModelNotServed
from service.handlers.labels import label_audio
from service.routes.lean import LeanRoute, documented
from service.runtime import context_of, runtime_of
from service.wire.answer_schemas import LabelsAnswer
from service.wire.answers import labels_answer
from service.wire.form import FormRule
from service.wire.requests.audio_labels import AudioLabelsRequest

router = APIRouter(route_class=LeanRoute)
FORM = {
    "audio": FormRule("audio", binary=True),
    "top_k": FormRule("top_k"),
    "window_seconds": FormRule("windows", "seconds", part_of=True),
    "window_hop": FormRule("windows", "hop", part_of=True),
}


@router.post(
    "/audio/labels",
    summary="A clip's labels",
    **documented(AudioLabelsRequest, LabelsAnswer, FORM, ModelNotServed),
)
async def audio_labels(request: Request) -> Response:
    """The trained head's `top_k` labels with probabilities, best first."""
    runtime, context = runtime_of(request), context_of(request)
    runtime.head("audio_labels")  # a model that is missing is told before the body is read
    wanted = await runtime.read(request, AudioLabelsRequest, FORM)
    return labels_answer(await label_audio(runtime, context, wanted))
