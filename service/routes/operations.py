"""`GET /info`, `/health/live`, `/health/ready`, `/metrics`: for operators and their machines."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service import __version__
from service.lifecycle import State
from service.routes.lean import LeanRoute
from service.runtime import Runtime, runtime_of
from service.wire.answers import json_response

router = APIRouter(route_class=LeanRoute)
LIMITS = (
    "max_body_bytes",
    "max_pending_bytes",
    "max_items",
    "max_text_bytes",
    "max_pixels",
    "max_audio_seconds",
    "max_queue",
    "deadline_ms",
    "read_timeout_ms",
)
URL_LIMITS = ("url_max_bytes", "url_timeout_ms", "url_max_redirects")
CARD_FIELDS_HIDDEN = {"model"}


def describe(runtime: Runtime) -> dict[str, Any]:
    """What is served, by what, within which limits."""
    settings, embedder = runtime.settings, runtime.embedder
    models = {
        name: model.card.model_dump(exclude=CARD_FIELDS_HIDDEN, exclude_none=True)
        | {"max_batch_size": model.max_batch_size}
        for name, model in runtime.models.items()
    }
    limits = LIMITS if settings.url_fetch == "off" else LIMITS + URL_LIMITS
    max_tokens = {name: card["max_tokens"] - 1 for name, card in models.items() if "max_tokens" in card}
    return {
        "model": settings.model_name,
        "fingerprint": embedder.fingerprint,
        "dimensions": embedder.dimensions,
        "engine": settings.engine,
        "device": runtime.engine.device,
        "version": __version__,
        "limits": {name: getattr(settings, name) for name in limits} | {"max_tokens": max_tokens},
        "models": models,
    }


@router.get("/info", summary="Models, limits, versions")
async def info(request: Request) -> Response:
    """What is served, by what, within which limits."""
    return json_response(describe(runtime_of(request)))


@router.get("/health/live", summary="Is the process alive?")
async def live(request: Request) -> Response:  # noqa: ARG001 (the route's signature)
    """Always 200 while the event loop turns."""
    return json_response({"status": "live"})


@router.get("/health/ready", summary="Are new callers welcome?", responses={503: {"description": "not ready"}})
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
