"""`POST /embed`: one normalised vector for each item, in order."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.errors import ModelNotServed, ServiceError
from service.routes.lean import LeanRoute, documented
from service.runtime import context_of, runtime_of
from service.usecases.embedding import Embedded
from service.wire.answers import EmbedAnswer, embed_body, json_response
from service.wire.checking import check_items
from service.wire.form import FormRule
from service.wire.schemas import EmbedEnvelope, EmbedRequest

router = APIRouter(route_class=LeanRoute)
FORM = {
    "text": FormRule("inputs", "text", many=True),
    "image": FormRule("inputs", "image", many=True, binary=True),
    "audio": FormRule("inputs", "audio", many=True, binary=True),
    "encoding": FormRule("encoding"),
    "on_error": FormRule("on_error"),
}


@router.post("/embed", summary="Items to vectors", **documented(EmbedRequest, EmbedAnswer, FORM, ModelNotServed))
async def embed(request: Request) -> Response:
    """Embed texts, images, clips and fused items in one space.

    In multipart, the repeated fields `text`, `image` and `audio` are the items, in the order in which they stand.
    """
    runtime, context = runtime_of(request), context_of(request)
    wanted = await runtime.read(request, EmbedEnvelope, FORM)
    items = check_items(wanted.inputs, "/inputs")
    outcomes: Sequence[Embedded | ServiceError]
    runtime.admit_items(context, items)
    if wanted.on_error == "report":
        outcomes = await runtime.embedder.embed_each(items, context.stages)
    else:
        outcomes = await runtime.embedder.embed_all(items, context.stages)
    return json_response(embed_body(runtime.settings.model_name, runtime.embedder, outcomes, items))
