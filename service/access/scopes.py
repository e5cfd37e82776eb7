"""What each endpoint needs, REST and gRPC side by side."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum

from service.settings import Settings


class Scope(StrEnum):
    """What a key may be good for: one word for each use case, whatever the wire."""

    EMBED = "embed"
    SIMILARITY = "similarity"
    GROUND = "ground"
    CLASSIFY = "classify"
    AUDIO_LABELS = "audio_labels"
    QUESTIONS = "questions"
    METRICS = "metrics"


class Door(Enum):
    """Endpoints that need no scope."""

    OPEN = "open"
    KEY = "key"
    """Any key will do."""


Need = Door | Scope
RPC, HEALTH = "/onepeace.v1.OnePeaceService/", "/grpc.health.v1.Health/"
REFLECTION = "/grpc.reflection.{}.ServerReflection/ServerReflectionInfo"
USE_CASES: dict[Scope, tuple[str, ...]] = {
    Scope.EMBED: ("/embed", "/v1/embeddings", RPC + "Embed", RPC + "EmbedStream"),
    Scope.SIMILARITY: ("/similarity", RPC + "Similarity"),
    Scope.GROUND: ("/ground", RPC + "Ground"),
    Scope.CLASSIFY: ("/classify", RPC + "Classify"),
    Scope.AUDIO_LABELS: ("/audio/labels", RPC + "AudioLabels"),
    Scope.QUESTIONS: ("/vqa", "/audio/qa", "/image-pair"),
}
HEALTH_CHECKS = ("/health/live", "/health/ready", HEALTH + "Check", HEALTH + "Watch")
DOCUMENTS = (
    "/docs",
    "/docs/page.js",
    "/docs/swagger-ui-bundle.js",
    "/docs/swagger-ui.css",
    "/openapi.json",
    REFLECTION.format("v1"),
    REFLECTION.format("v1alpha"),
)


def needs_of(settings: Settings) -> Mapping[str, Need]:
    """What each endpoint needs when there are keys. Every other one, `/info` too, needs any key at all."""
    needs: dict[str, Need] = {endpoint: scope for scope, endpoints in USE_CASES.items() for endpoint in endpoints}
    if settings.access_health == "open":
        needs |= dict.fromkeys(HEALTH_CHECKS, Door.OPEN)
    if settings.access_docs == "open":
        needs |= dict.fromkeys(DOCUMENTS, Door.OPEN)
    needs["/metrics"] = Door.OPEN if settings.access_metrics == "open" else Scope.METRICS
    return needs
