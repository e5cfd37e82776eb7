"""`GET /info`, `/health/live`, `/health/ready`, `/metrics`: for operators and their machines."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.handlers.info import describe
from service.lifecycle import State
from service.routes.lean import LeanRoute
from service.runtime import runtime_of
from service.wire.answers import json_response
from service.wire.operations import InfoAnswer, LiveAnswer, NotReadyAnswer, ReadyAnswer

router = APIRouter(route_class=LeanRoute)


@router.get("/info", summary="Models, limits, versions", responses={200: {"model": InfoAnswer}}, response_model=None)
async def info(request: Request) -> Response:
    """What is served, by what, within which limits."""
    return json_response(describe(runtime_of(request)))


@router.get(
    "/health/live", summary="Is the process alive?", responses={200: {"model": LiveAnswer}}, response_model=None
)
async def live(request: Request) -> Response:  # noqa: ARG001 (the route's signature)
    """Always 200 while the event loop turns."""
    return json_response({"status": "live"})


@router.get(
    "/health/ready",
    summary="Are new callers welcome?",
    responses={200: {"model": ReadyAnswer}, 503: {"model": NotReadyAnswer, "description": "Not ready"}},
    response_model=None,
)
async def ready(request: Request) -> Response:
    """200 once every model is loaded and warm; 503 before, from the first SIGTERM on, and while Triton is away."""
    runtime = runtime_of(request)
    well = runtime.ready()
    state = runtime.lifecycle.state
    status = "engine_unavailable" if state is State.READY and not well else state.value
    response = json_response({"status": status})
    response.status_code = 200 if well else 503
    return response


@router.get("/metrics", summary="Prometheus metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """The text exposition format."""
    return Response(runtime_of(request).metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")
