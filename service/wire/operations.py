"""The schemas of `/info` and `/health/…`; `handlers/info.py` and the routes make their answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from service.repository import Activation, Precision


class ServedModel(BaseModel):
    """The card of a model, without what doesn't apply to it."""

    model_config = ConfigDict(protected_namespaces=())

    fingerprint: str = Field(description="SHA-256 of weights, graph, tokenizer, preprocessing")
    embedding_dim: int | SkipJsonSchema[None] = None
    image_size: int | SkipJsonSchema[None] = Field(None, description="side of the square input, pixels")
    sample_rate_hz: int | SkipJsonSchema[None] = None
    min_audio_s: float | SkipJsonSchema[None] = Field(
        None, description="a shorter clip is repeated until it fills this"
    )
    max_audio_s: float | SkipJsonSchema[None] = Field(None, description="a longer clip is cut to this")
    max_tokens: int | SkipJsonSchema[None] = Field(None, description="ids of one text, the end token included")
    num_labels: int | SkipJsonSchema[None] = None
    activation: Activation | SkipJsonSchema[None] = Field(None, description="what turns logits into probabilities")
    logit_scale: float | SkipJsonSchema[None] = Field(None, description="natural logarithm of the factor on a cosine")
    trained_dimensions: list[int] = Field(description="prefixes of a vector that were trained to stand alone")
    precision: Precision
    checkpoint_sha256: str
    exported_at: str
    versions: dict[str, str]
    max_batch_size: int


class Limits(BaseModel):
    """What one request, and all together, may ask for. Those of URLs stand there where they are fetched."""

    max_body_bytes: int
    max_pending_bytes: int
    max_items: int
    max_text_bytes: int
    max_pixels: int
    max_audio_seconds: float
    max_queue: int
    deadline_ms: int
    read_timeout_ms: int
    url_max_bytes: int | SkipJsonSchema[None] = None
    url_timeout_ms: int | SkipJsonSchema[None] = None
    url_max_redirects: int | SkipJsonSchema[None] = None
    max_tokens: dict[str, int] = Field(description="of each model that reads texts, the end token left out")


class InfoAnswer(BaseModel):
    """Answer of `/info`."""

    model: str
    fingerprint: str = Field(description="SHA-256 that names what computes vectors")
    dimensions: int
    engine: Literal["onnx", "triton"]
    device: str
    version: str
    limits: Limits
    models: dict[str, ServedModel]


class LiveAnswer(BaseModel):
    """Answer of `/health/live`."""

    status: Literal["live"]


class DeadAnswer(BaseModel):
    """Answer of `/health/live` with 503."""

    status: Literal["engine_dead"]


class ReadyAnswer(BaseModel):
    """Answer of `/health/ready` with 200."""

    status: Literal["ready"]
    engine: Literal["ready", "unavailable"] = Field(description="whether every model has a server that is well now")


class NotReadyAnswer(BaseModel):
    """Answer of `/health/ready` with 503."""

    status: Literal["starting", "draining", "engine_unavailable", "engine_dead", "decoders_unavailable"]
    engine: Literal["ready", "unavailable"]
