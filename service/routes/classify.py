"""`POST /classify`: zero-shot classification with the caller's labels."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.errors import ModelNotServed
from service.routes.lean import LeanRoute, documented
from service.runtime import context_of, runtime_of
from service.usecases.items import TextItem
from service.usecases.zero_shot import classify as classify_item
from service.wire.answers import LabelsAnswer, labels_answer
from service.wire.form import FormRule
from service.wire.schemas import ClassifyRequest

router = APIRouter(route_class=LeanRoute)
FORM = {
    "text": FormRule("input", "text"),
    "image": FormRule("input", "image", binary=True),
    "audio": FormRule("input", "audio", binary=True),
    "label": FormRule("labels", many=True),
    "template": FormRule("template"),
}


@router.post("/classify", summary="Zero-shot labels", **documented(ClassifyRequest, LabelsAnswer, FORM, ModelNotServed))
async def classify(request: Request) -> Response:
    """Probabilities of the caller's own labels, best first."""
    runtime, context = runtime_of(request), context_of(request)
    wanted = await runtime.read(request, ClassifyRequest, FORM)
    item = wanted.input.item("/input")
    labels = [TextItem(label, f"/labels/{i}") for i, label in enumerate(wanted.labels)]
    runtime.admit_items(context, [item, *labels])
    scored, notes = await classify_item(runtime.embedder, item, labels, wanted.template, context.stages)
    return labels_answer(runtime.settings.model_name, runtime.embedder.fingerprint, scored, notes)
