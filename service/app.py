"""The FastAPI application around a `Runtime`."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from service import __version__
from service.access.scopes import needs_of
from service.errors import ServiceError
from service.middleware import RequestMiddleware
from service.routes import audio_labels, classify, embed, ground, openai, operations, pages, questions, similarity
from service.routes.lean import declare_keys, lean_endpoints
from service.runtime import Runtime
from service.settings import Settings
from service.wire.openai.errors import ErrorAnswer
from service.wire.openai.requests import EmbeddingsRequest
from service.wire.problem import handle_exception, handle_http_exception, handle_service_error
from service.wire.problem_schemas import SCHEMA_REF, problem_schemas
from service.wire.requests.audio_labels import AudioLabelsRequest
from service.wire.requests.classify import ClassifyRequest
from service.wire.requests.embed import EmbedRequest
from service.wire.requests.ground import GroundRequest
from service.wire.requests.questions import AudioQaRequest, ImagePairRequest, VqaRequest
from service.wire.requests.similarity import SimilarityRequest

TITLE = "ONE-PEACE Server"
DESCRIPTION = "One embedding space for images, sound and text; grounding boxes and audio labels."
ROUTERS = tuple(
    module.router for module in (embed, similarity, ground, classify, audio_labels, questions, openai, operations)
)
DOCUMENTED: tuple[type[BaseModel], ...] = (
    EmbedRequest,
    SimilarityRequest,
    GroundRequest,
    ClassifyRequest,
    AudioLabelsRequest,
    VqaRequest,
    AudioQaRequest,
    ImagePairRequest,
    EmbeddingsRequest,
    ErrorAnswer,
)


def build_app(runtime: Runtime) -> RequestMiddleware:
    """The application; who calls it starts and closes the runtime."""
    documents = runtime.settings.access_docs != "off"
    app = FastAPI(
        title=TITLE,
        description=DESCRIPTION,
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if documents else None,
        redirect_slashes=False,
    )
    app.state.runtime = runtime
    routers = (*ROUTERS, pages.router) if documents else ROUTERS
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(HTTPException, handle_http_exception)
    app.add_exception_handler(ServiceError, handle_service_error)
    app.add_exception_handler(Exception, handle_exception)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return RequestMiddleware(app, lean_endpoints(routers), runtime)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The document of this service: it also says what needs a key, if anything does."""
    if app.openapi_schema is None:
        app.openapi_schema = api_document()
        settings: Settings = app.state.runtime.settings
        if settings.api_keys_file is not None:
            declare_keys(app.openapi_schema, needs_of(settings))
    return app.openapi_schema


def api_document() -> dict[str, Any]:
    """The OpenAPI document: FastAPI's plus the schemas of the bodies, which the routes check themselves.

    It depends on no setting and no model. An operation is named as the function that answers it.
    """
    app = FastAPI(generate_unique_id_function=lambda route: route.name)
    for router in ROUTERS:
        app.include_router(router)
    document = get_openapi(title=TITLE, version=__version__, description=DESCRIPTION, routes=app.routes)
    _, bodies = models_json_schema([(model, "validation") for model in DOCUMENTED], ref_template=SCHEMA_REF + "{model}")
    schemas = document["components"]["schemas"] | bodies["$defs"] | problem_schemas()
    document["components"]["schemas"] = _without_null_defaults(schemas)
    return document


def _without_null_defaults(value: Any) -> Any:
    """Schemas without `default: null`, which says no more than that a field may be left out."""
    if isinstance(value, list):
        return [_without_null_defaults(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {key: _without_null_defaults(entry) for key, entry in value.items() if (key, entry) != ("default", None)}
