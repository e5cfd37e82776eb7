"""`POST /ground`: where in the picture a phrase is."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.errors import ModelNotServed
from service.handlers import ground as handler
from service.routes.lean import LeanRoute, documented
from service.runtime import context_of, runtime_of
from service.wire.answer_schemas import GroundAnswer
from service.wire.answers import ground_answer
from service.wire.form import FormRule
from service.wire.requests.ground import GroundRequest

router = APIRouter(route_class=LeanRoute)
FORM = {"image": FormRule("image", binary=True), "phrase": FormRule("phrases", many=True), "scores": FormRule("scores")}


@router.post("/ground", summary="Phrases to boxes", **documented(GroundRequest, GroundAnswer, FORM, ModelNotServed))
async def ground(request: Request) -> Response:
    """One box for each phrase. The model always gives a box, and no confidence; `scores` tell what is in it."""
    runtime, context = runtime_of(request), context_of(request)
    runtime.head("grounding")  # a model that is missing is told before the body is read
    wanted = await runtime.read(request, GroundRequest, FORM)
    return ground_answer(await handler.ground(runtime, context, wanted))
