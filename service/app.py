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
from service.routes.lean import SCHEMA_REF, declare_keys, lean_endpoints
from service.runtime import Runtime
from service.wire import answers, schemas
from service.wire.openai.errors import ErrorAnswer
from service.wire.openai.requests import EmbeddingsRequest
from service.wire.problem import handle_exception, handle_http_exception, handle_service_error

DESCRIPTION = "One embedding space for images, sound and text; grounding boxes and audio labels."
ROUTERS = tuple(
    module.router for module in (embed, similarity, ground, classify, audio_labels, questions, openai, operations)
)
DOCUMENTED: tuple[type[BaseModel], ...] = (
    schemas.EmbedRequest,
    schemas.SimilarityRequest,
    schemas.GroundRequest,
    schemas.ClassifyRequest,
    schemas.AudioLabelsRequest,
    schemas.VqaRequest,
    schemas.AudioQaRequest,
    schemas.ImagePairRequest,
    EmbeddingsRequest,
    ErrorAnswer,
    answers.Problem,
)


def build_app(runtime: Runtime) -> RequestMiddleware:
    """The application; who calls it starts and closes the runtime."""
    documents = runtime.settings.access_docs != "off"
    app = FastAPI(
        title="ONE-PEACE Server",
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
    """FastAPI's document plus the schemas of the bodies, which the routes check themselves, and what needs a key."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        _, definitions = models_json_schema(
            [(model, "validation") for model in DOCUMENTED], ref_template=SCHEMA_REF + "{model}"
        )
        document.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
        settings = app.state.runtime.settings
        if settings.api_keys_file is not None:
            declare_keys(document, needs_of(settings))
        app.openapi_schema = document
    return app.openapi_schema
