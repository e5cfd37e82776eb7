"""Answers: their schemas for `/docs`, and their rendering, which goes past pydantic because it is hot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import orjson
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import Response

from service.preprocessing import Note
from service.usecases.embeddable import Embedded
from service.usecases.probabilities import ScoredLabel
from service.usecases.results import EmbedResult, GroundResult, LabelsResult
from service.usecases.source import Source
from service.usecases.windows import Span
from service.wire.encodings import encoded_fields
from service.wire.notes import ImageNote, ItemNote
from service.wire.problem import input_error_body
from service.wire.problem_schemas import ProblemEntry

Numbers = list[float]  # in `Embeddings`, the field `float` hides the type


class Answer(BaseModel):
    """What every answer of a model says."""

    model: str
    fingerprint: str = Field(description="SHA-256 that names what computed this")


class Embeddings(BaseModel):
    """One vector in each encoding that was asked for."""

    float: Numbers | SkipJsonSchema[None] = None
    base64: str | SkipJsonSchema[None] = Field(None, description="of little-endian float32")
    int8: str | SkipJsonSchema[None] = Field(None, description="base64 of the bytes")
    binary: str | SkipJsonSchema[None] = Field(None, description="base64 of the bytes")


class Vectors(BaseModel):
    """One vector: `embedding`, or `embeddings` where a list of encodings was asked for."""

    embedding: Numbers | str | SkipJsonSchema[None] = Field(
        None, description="L2 norm 1; base64 for other encodings than float"
    )
    embeddings: Embeddings | SkipJsonSchema[None] = None


class WindowDatum(Vectors):
    """One window of a clip: its place in seconds, and its vector in the request's encoding."""

    start: float
    end: float


class EmbedDatum(Vectors):
    """One item's vector."""

    index: int
    modality: Literal["text", "image", "audio", "fused"]
    input: ItemNote = Field(description="what was done to the item")
    windows: list[WindowDatum] | SkipJsonSchema[None] = Field(
        None, description="if they were asked for; the vector is their mean"
    )


class FailedDatum(BaseModel):
    """What is wrong with one item, under `on_error: report`."""

    index: int
    modality: Literal["text", "image", "audio", "fused", "unknown"] = Field(
        description="unknown where the item's form was wrong"
    )
    error: ProblemEntry


class EmbedAnswer(Answer):
    """Answer of `/embed`."""

    dimensions: int
    data: list[EmbedDatum | FailedDatum]


class SimilarityAnswer(Answer):
    """Answer of `/similarity`."""

    similarity: list[list[float]] = Field(description="cosines, queries × candidates")
    probabilities: list[list[float]] | SkipJsonSchema[None] = None


class Box(BaseModel):
    """Two corners."""

    x0: float
    y0: float
    x1: float
    y1: float


class PhraseBox(BaseModel):
    """A phrase's box in pixels of the upright image, and as fractions of its sides."""

    phrase: str
    box: Box
    box_normalized: Box
    score: float | SkipJsonSchema[None] = Field(
        None, description="cosine between the phrase and what is in the box, if asked for"
    )


class GroundAnswer(Answer):
    """Answer of `/ground`."""

    image: ImageNote
    boxes: list[PhraseBox]


class LabelProbability(BaseModel):
    """A label and its probability; from `/classify` also its cosine."""

    label: str
    probability: float
    cosine: float | SkipJsonSchema[None] = None


class WindowLabelsDatum(BaseModel):
    """The labels of one window of a clip, and its place in seconds."""

    start: float
    end: float
    labels: list[LabelProbability]


class LabelsAnswer(Answer):
    """Answer of `/classify`, `/audio/labels`, `/vqa` and `/audio/qa`: best first."""

    labels: list[LabelProbability]
    input: ItemNote = Field(description="what was done to the item")
    none_of_these: float | SkipJsonSchema[None] = Field(
        None, description="probability, if `/classify` was given a threshold"
    )
    windows: list[WindowLabelsDatum] | SkipJsonSchema[None] = None


class PairAnswer(Answer):
    """Answer of `/image-pair`."""

    probability: float = Field(description="that the sentence is true of the two images")


def json_response(value: object) -> Response:
    """Serialise with orjson; numpy float32 arrays are written directly, with the digits that float32 has."""
    return Response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


def embed_body(result: EmbedResult) -> dict[str, Any]:
    """The answer of `/embed`, in the order of the inputs."""
    data: list[dict[str, Any]] = []
    for index, outcome in enumerate(result.outcomes):
        entry: dict[str, Any] = {"index": index, "modality": result.modality(index)}
        if isinstance(outcome, Embedded):
            entry |= encoded_fields(outcome.vector, result.encoding)
            entry["input"] = note_body(outcome.notes)
            if outcome.windows:
                entry["windows"] = [
                    {**span_body(window.span), **encoded_fields(window.vector, result.encoding)}
                    for window in outcome.windows
                ]
        else:
            entry["error"] = input_error_body(outcome)
        data.append(entry)
    return {**source_body(result.source), "dimensions": result.dimensions, "data": data}


def ground_answer(result: GroundResult) -> Response:
    """The answer of `/ground`."""
    corners = ("x0", "y0", "x1", "y1")
    rendered = [
        {
            "phrase": found.phrase,
            "box": dict(zip(corners, found.box, strict=True)),
            "box_normalized": dict(zip(corners, found.box_normalized, strict=True)),
        }
        | ({} if found.score is None else {"score": found.score})
        for found in result.boxes
    ]
    return json_response({**source_body(result.source), "image": result.image, "boxes": rendered})


def labels_answer(result: LabelsResult) -> Response:
    """The answer of every endpoint that gives labels with probabilities."""
    body = {
        **source_body(result.source),
        "labels": [_label_body(scored) for scored in result.labels],
        "input": note_body(result.notes),
    }
    if result.none_of_these is not None:
        body["none_of_these"] = result.none_of_these
    if result.windows:
        body["windows"] = [
            {**span_body(window.span), "labels": [_label_body(scored) for scored in window.labels]}
            for window in result.windows
        ]
    return json_response(body)


def _label_body(scored: ScoredLabel) -> dict[str, Any]:
    body: dict[str, Any] = {"label": scored.label, "probability": scored.probability}
    return body if scored.cosine is None else body | {"cosine": scored.cosine}


def span_body(span: Span) -> dict[str, float]:
    """Where a window lies in its clip, seconds."""
    return {"start": round(span.start_s, 3), "end": round(span.end_s, 3)}


def source_body(source: Source) -> dict[str, Any]:
    """What every answer of a model says."""
    return {"model": source.model, "fingerprint": source.fingerprint}


def note_body(notes: Sequence[Note]) -> dict[str, Any]:
    """What was done to an item; for a fused one, to each part."""
    return dict(notes[0]) if len(notes) == 1 else {"parts": list(notes)}
