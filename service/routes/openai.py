"""`POST /v1/embeddings`, `GET /v1/models`: OpenAI's format, for its clients."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from service.errors import InvalidRequest, ModelNotFound, ModelNotServed, RateLimited, ServiceError, Unauthenticated
from service.handlers import embed as handler
from service.handlers.models import require_model, served_models
from service.routes.lean import COMMON_ERRORS, LeanRoute, by_status, error_response
from service.runtime import context_of, runtime_of
from service.wire.answers import json_response
from service.wire.checking import check
from service.wire.openai.answers import EmbeddingsAnswer, Model, ModelsAnswer, embeddings_body, model_body, models_body
from service.wire.openai.errors import MEDIA_TYPE, ErrorAnswer, openai_status
from service.wire.openai.requests import EmbeddingsEnvelope, EmbeddingsRequest
from service.wire.openai.translation import Places, translate
from service.wire.problem_schemas import SCHEMA_REF

router = APIRouter(route_class=LeanRoute)
MODELS = "/v1/models"


def _documented(answer: type[BaseModel], *errors: type[ServiceError]) -> dict[str, Any]:
    """Keyword arguments of a route that describe its answer and errors for OpenAPI."""
    responses: dict[int | str, dict[str, Any]] = {200: {"model": answer}}
    for status, kinds in by_status(errors).items():
        responses.setdefault(openai_status(status), error_response(kinds, MEDIA_TYPE, ErrorAnswer.__name__))
    return {"responses": responses, "response_model": None}


_BODY = {"required": True, "content": {MEDIA_TYPE: {"schema": {"$ref": SCHEMA_REF + EmbeddingsRequest.__name__}}}}


@router.post(
    "/v1/embeddings",
    summary="Vectors, in OpenAI's format",
    openapi_extra={"requestBody": _BODY},
    **_documented(EmbeddingsAnswer, *COMMON_ERRORS, ModelNotServed, ModelNotFound),
)
async def embeddings(request: Request) -> Response:
    """Embed texts, images, clips and fused inputs, as OpenAI's clients and those of other servers ask for them."""
    runtime, context = runtime_of(request), context_of(request)
    max_items = runtime.settings.max_items
    wanted = check(EmbeddingsEnvelope, await runtime.read_json(request), strict=True, max_items=None)
    require_model(runtime, wanted.model)
    places = Places()
    envelope = translate(wanted, places, max_items=max_items)
    try:
        result = await handler.embed(runtime, context, envelope)
    except InvalidRequest as error:
        raise places.relocate(error) from error
    return json_response(embeddings_body(result))


@router.get(MODELS, summary="Models, in OpenAI's format", **_documented(ModelsAnswer, Unauthenticated, RateLimited))
async def models(request: Request) -> Response:
    """The model that gives vectors."""
    served = served_models(runtime_of(request))
    return json_response(models_body([model_body(name, created_s) for name, created_s in served.items()]))


@router.get(
    MODELS + "/{model:path}",
    summary="A model, in OpenAI's format",
    openapi_extra={"parameters": [{"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}]},
    **_documented(Model, ModelNotFound, Unauthenticated, RateLimited),
)
async def model(request: Request) -> Response:
    """The model of that name."""
    runtime, name = runtime_of(request), request.path_params["model"]
    require_model(runtime, name)
    return json_response(model_body(name, served_models(runtime)[name]))
