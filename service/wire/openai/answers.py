"""Answers of `/v1/`: their schemas for `/docs`, and their rendering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from service.usecases.embeddable import Embedded
from service.usecases.results import EmbedResult
from service.wire.answers import note_body, source_body
from service.wire.encodings import encoded_fields
from service.wire.notes import ItemNote

OWNER = "onepeace"


class Embedding(BaseModel):
    """One input's vector."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str = Field(description="L2 norm 1; base64 for other formats than float")
    input: ItemNote = Field(description="what was done to the input, as `/embed` says it")


class Usage(BaseModel):
    """Token ids of texts, without the end token; pictures and sounds count nothing."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(BaseModel):
    """Answer of `POST /v1/embeddings`."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    fingerprint: str = Field(description="SHA-256 that names what computed this")
    usage: Usage


class Model(BaseModel):
    """A served model."""

    id: str
    object: Literal["model"]
    created: int = Field(description="Unix time of the export")
    owned_by: str


class ModelsAnswer(BaseModel):
    """Answer of `GET /v1/models`."""

    object: Literal["list"]
    data: list[Model]


def embeddings_body(result: EmbedResult) -> dict[str, Any]:
    """The answer of `/v1/embeddings`, in the order of the inputs."""
    embedded = [outcome for outcome in result.outcomes if isinstance(outcome, Embedded)]
    tokens = sum(int(note.get("tokens", 0)) for item in embedded for note in item.notes)
    data = [
        {
            "object": "embedding",
            "index": index,
            **encoded_fields(item.vector, result.encoding),
            "input": note_body(item.notes),
        }
        for index, item in enumerate(embedded)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, **source_body(result.source), "usage": usage}


def model_body(name: str, created_s: int) -> dict[str, Any]:
    """One model; `created_s` is Unix time."""
    return {"id": name, "object": "model", "created": created_s, "owned_by": OWNER}


def models_body(models: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The list of models."""
    return {"object": "list", "data": models}
