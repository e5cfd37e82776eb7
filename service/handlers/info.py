"""What the service tells of itself."""

from __future__ import annotations

from typing import Any

from service import __version__
from service.runtime import Runtime

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
    settings, space = runtime.settings, runtime.space
    models = {
        name: model.card.model_dump(exclude=CARD_FIELDS_HIDDEN, exclude_none=True)
        | {"max_batch_size": model.max_batch_size}
        for name, model in runtime.models.items()
    }
    limits = LIMITS if settings.url_fetch == "off" else LIMITS + URL_LIMITS
    max_tokens = {name: card["max_tokens"] - 1 for name, card in models.items() if "max_tokens" in card}
    return {
        "model": settings.model_name,
        "fingerprint": space.fingerprint,
        "dimensions": space.dimensions,
        "engine": settings.engine,
        "device": runtime.engine.device,
        "version": __version__,
        "limits": {name: getattr(settings, name) for name in limits} | {"max_tokens": max_tokens},
        "models": models,
    }
