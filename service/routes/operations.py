"""`GET /info`, `/health/live`, `/health/ready`, `/metrics`: for operators and their machines."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.errors import RateLimited, Unauthenticated
from service.handlers.info import describe
from service.lifecycle import ENGINE_DEAD
from service.routes.lean import LeanRoute, problem_responses
from service.runtime import runtime_of
from service.wire.answers import json_response
from service.wire.operations import DeadAnswer, InfoAnswer, LiveAnswer, NotReadyAnswer, ReadyAnswer

router = APIRouter(route_class=LeanRoute)


@router.get(
    "/info",
    summary="Models, limits, versions",
    responses={200: {"model": InfoAnswer}, **problem_responses((Unauthenticated, RateLimited))},
    response_model=None,
)
async def info(request: Request) -> Response:
    """What is served, by what, within which limits."""
    return json_response(describe(runtime_of(request)))


@router.get(
    "/health/live",
    summary="Is the process alive?",
    responses={200: {"model": LiveAnswer}, 503: {"model": DeadAnswer, "description": "Only a new process helps"}},
    response_model=None,
)
async def live(request: Request) -> Response:
    """200 while the event loop turns; 503 when a thread of the embedded engine has died."""
    alive = runtime_of(request).alive()
    return _health({"status": "live" if alive else ENGINE_DEAD}, well=alive)


@router.get(
    "/health/ready",
    summary="Are new callers welcome?",
    responses={200: {"model": ReadyAnswer}, 503: {"model": NotReadyAnswer, "description": "Not ready"}},
    response_model=None,
)
async def ready(request: Request) -> Response:
    """200 once every model is loaded and warm; 503 before, and from the first SIGTERM on.

    A Triton that is away later shows in `engine` alone.
    """
    runtime = runtime_of(request)
    engine = "ready" if runtime.engine.ready() else "unavailable"
    return _health({"status": runtime.status(), "engine": engine}, well=runtime.ready())


@router.get("/metrics", summary="Prometheus metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Prometheus' text format, or OpenMetrics where `Accept` asks for it."""
    body, content_type = await runtime_of(request).render_metrics(request.headers.get("accept", ""))
    return Response(body, headers={"content-type": content_type})


def _health(state: dict[str, str], *, well: bool) -> Response:
    response = json_response(state)
    response.status_code = 200 if well else 503
    return response
