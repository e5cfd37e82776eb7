"""`POST /vqa`, `/audio/qa`, `/image-pair`."""

from __future__ import annotations

from pydantic import Field

from service.wire.requests.schema import Media, RequestSchema


class VqaRequest(RequestSchema):
    """`POST /vqa`."""

    image: Media
    question: str
    top_k: int = Field(5, ge=1, le=10_000)


class AudioQaRequest(RequestSchema):
    """`POST /audio/qa`."""

    counted = ("candidates",)
    audio: Media
    question: str
    candidates: list[str] = Field(min_length=1)


class ImagePairRequest(RequestSchema):
    """`POST /image-pair`."""

    image: Media
    image_2: Media
    text: str
