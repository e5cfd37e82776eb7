"""The schemas of answers, for `/docs`; `answers.py` and `matrices.py` render what these describe."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from service.wire.notes import ImageNote, ItemNote
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
