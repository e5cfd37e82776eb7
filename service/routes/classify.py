"""`POST /classify`: zero-shot classification with the caller's labels."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.errors import ModelNotServed
from service.handlers import labels as handlers
from service.routes.lean import LeanRoute, documented
from service.runtime import context_of, runtime_of
from service.wire.answer_schemas import LabelsAnswer
from service.wire.answers import labels_answer
from service.wire.form import FormRule
from service.wire.requests.classify import ClassifyRequest

router = APIRouter(route_class=LeanRoute)
FORM = {
    "text": FormRule("input", "text"),
    "image": FormRule("input", "image", binary=True),
    "audio": FormRule("input", "audio", binary=True),
    "label": FormRule("labels", many=True),
    "template": FormRule("template"),
    "templates": FormRule("templates", many=True),
    "multi_label": FormRule("multi_label"),
    "threshold": FormRule("threshold"),
}


@router.post("/classify", summary="Zero-shot labels", **documented(ClassifyRequest, LabelsAnswer, FORM, ModelNotServed))
async def classify(request: Request) -> Response:
    """Probabilities of the caller's own labels, best first."""
    runtime, context = runtime_of(request), context_of(request)
    wanted = await runtime.read(request, ClassifyRequest, FORM)
    return labels_answer(await handlers.classify(runtime, context, wanted))
