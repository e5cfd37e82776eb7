"""Routes that FastAPI documents but does not slow down, and the documentation of their bodies."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from service import errors
from service.access.scopes import Door, Need
from service.wire.form import FormRule
from service.wire.form_schema import form_schema
from service.wire.problem import MEDIA_TYPE
from service.wire.problem_schemas import SCHEMA_REF, problem_name

COMMON_ERRORS: tuple[type[errors.ServiceError], ...] = (
    errors.MalformedBody,
    errors.Unauthenticated,
    errors.Forbidden,
    errors.RequestTooSlow,
    errors.BodyTooLarge,
    errors.UnsupportedBody,
    errors.InvalidRequest,
    errors.QueueFull,
    errors.RateLimited,
    errors.EngineFailure,
    errors.NotReady,
    errors.DecodersUnavailable,
    errors.EngineUnavailable,
    errors.DeadlineExceeded,
)


LeanEndpoint = Callable[[Request], Coroutine[Any, Any, Response]]


class LeanRoute(APIRoute):
    """Takes the bare request: FastAPI's own body handling would parse and check it twice."""

    def get_route_handler(self) -> LeanEndpoint:
        """The endpoint as it is."""
        endpoint: LeanEndpoint = self.endpoint
        return endpoint


def lean_endpoints(routers: Iterable[APIRouter]) -> dict[tuple[str, str], LeanEndpoint]:
    """The endpoint of each method and path, to be called without FastAPI in between. It keeps paths with parameters."""
    routes = [route for router in routers for route in router.routes if isinstance(route, LeanRoute)]
    routes = [route for route in routes if not route.param_convertors]
    endpoints = {(method, route.path): route.endpoint for route in routes for method in route.methods or ()}
    return endpoints | {("HEAD", path): endpoint for (method, path), endpoint in endpoints.items() if method == "GET"}


def declare_keys(document: dict[str, Any], needs: Mapping[str, Need]) -> None:
    """Say in an OpenAPI document that there are keys, and which paths are open without."""
    scheme = {"type": "http", "scheme": "bearer", "description": "A key: `op_…`"}
    document["components"].setdefault("securitySchemes", {})["key"] = scheme
    document["security"] = [{"key": []}]
    for path, operations in document["paths"].items():
        if needs.get(path) is Door.OPEN:
            for operation in operations.values():
                operation["security"] = []


def documented(
    request: type[BaseModel],
    answer: type[BaseModel],
    form: Mapping[str, FormRule],
    *more: type[errors.ServiceError],
    arrays: Sequence[str] = (),
) -> dict[str, Any]:
    """Keyword arguments of `router.post` that describe bodies and errors for OpenAPI.

    `arrays` are the media types that the answer has for `Accept`, beside JSON.
    """
    binary = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in arrays}
    responses: dict[int | str, dict[str, Any]] = {200: {"model": answer, "content": binary}}
    responses |= problem_responses((*COMMON_ERRORS, *more))
    body = {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": SCHEMA_REF + request.__name__}},
            "multipart/form-data": {"schema": form_schema(request, form)},
        },
    }
    return {"responses": responses, "openapi_extra": {"requestBody": body}, "response_model": None}


def problem_responses(kinds: Iterable[type[errors.ServiceError]]) -> dict[int | str, dict[str, Any]]:
    """Describe the answers for errors, by status."""
    return {status: error_response(same, MEDIA_TYPE, problem_name(status)) for status, same in by_status(kinds).items()}


def by_status(kinds: Iterable[type[errors.ServiceError]]) -> dict[int, list[type[errors.ServiceError]]]:
    """Errors by their statuses, ascending."""
    groups: dict[int, list[type[errors.ServiceError]]] = {}
    for kind in sorted(kinds, key=lambda kind: kind.status):
        groups.setdefault(kind.status, []).append(kind)
    return groups


def error_response(kinds: Iterable[type[errors.ServiceError]], media_type: str, schema: str) -> dict[str, Any]:
    """Describe the answer for errors of one status by the component `schema`."""
    described: dict[str, Any] = {
        "description": "; ".join(dict.fromkeys(kind.title for kind in kinds)),
        "content": {media_type: {"schema": {"$ref": SCHEMA_REF + schema}}},
    }
    if any(issubclass(kind, errors.Unavailable) and kind.retry_after_s is not None for kind in kinds):
        wait = {"description": "seconds to wait before asking again", "schema": {"type": "integer"}}
        described["headers"] = {"Retry-After": wait}
    return described
