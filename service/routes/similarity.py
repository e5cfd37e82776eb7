"""`POST /similarity`: cosines between queries and candidates."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.errors import ModelNotServed
from service.handlers.similarity import compare_items
from service.routes.lean import LeanRoute, documented
from service.runtime import context_of, runtime_of
from service.wire.answer_schemas import SimilarityAnswer
from service.wire.arrays import NPY
from service.wire.form import FormRule
from service.wire.matrices import npy_matrix, similarity_answer
from service.wire.negotiation import preferred, varied
from service.wire.requests.similarity import SimilarityRequest

router = APIRouter(route_class=LeanRoute)
FORM = {
    f"{side}_{kind}": FormRule(target, kind, many=True, binary=kind != "text")
    for side, target in (("query", "queries"), ("candidate", "candidates"))
    for kind in ("text", "image", "audio")
} | {"probabilities": FormRule("probabilities")}


@router.post(
    "/similarity",
    summary="Cosines between items",
    **documented(SimilarityRequest, SimilarityAnswer, FORM, ModelNotServed, arrays=(NPY,)),
)
async def similarity(request: Request) -> Response:
    """Compare each query with each candidate; items may also be vectors that the caller has already.

    `Accept: application/x-npy` gives one float32 array: the cosines, or the probabilities if they were asked for.
    """
    runtime, context = runtime_of(request), context_of(request)
    wanted = await runtime.read(request, SimilarityRequest, FORM)
    result = await compare_items(runtime, context, wanted)
    wants_npy = preferred(context.headers.get(b"accept"), (NPY,), "application/json") == NPY
    return varied(npy_matrix(result) if wants_npy else similarity_answer(result))
