"""`POST /embed`: one normalised vector for each item, in order."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.errors import ModelNotServed
from service.handlers import embed as handler
from service.routes.lean import LeanRoute, documented
from service.runtime import context_of, runtime_of
from service.wire.answer_schemas import EmbedAnswer
from service.wire.answers import embed_body, json_response
from service.wire.arrays import ARROW, NPY, arrow_response, check_npy, npy_response
from service.wire.form import FormRule
from service.wire.negotiation import preferred, varied
from service.wire.requests.embed import EmbedEnvelope, EmbedRequest

router = APIRouter(route_class=LeanRoute)
FORM = {
    "text": FormRule("inputs", "text", many=True),
    "image": FormRule("inputs", "image", many=True, binary=True),
    "audio": FormRule("inputs", "audio", many=True, binary=True),
    "encoding": FormRule("encoding", one_or_many=True),
    "dimensions": FormRule("dimensions"),
    "window_seconds": FormRule("windows", "seconds", part_of=True),
    "window_hop": FormRule("windows", "hop", part_of=True),
    "on_error": FormRule("on_error"),
}


@router.post(
    "/embed",
    summary="Items to vectors",
    **documented(EmbedRequest, EmbedAnswer, FORM, ModelNotServed, arrays=(NPY, ARROW)),
)
async def embed(request: Request) -> Response:
    """Embed texts, images, clips and fused items in one space.

    In multipart, the repeated fields `text`, `image` and `audio` are the items, in the order in which they stand.
    `Accept: application/x-npy` gives one array, `application/vnd.apache.arrow.stream` a table.
    """
    runtime, context = runtime_of(request), context_of(request)
    wanted = await runtime.read(request, EmbedEnvelope, FORM)
    media_type = preferred(context.headers.get(b"accept"), (NPY, ARROW), "application/json")
    if media_type == NPY:
        check_npy(wanted)
    result = await handler.embed(runtime, context, wanted)
    if media_type == NPY:
        return varied(npy_response(result))
    return varied(arrow_response(result) if media_type == ARROW else json_response(embed_body(result)))
