"""`POST /ground`."""

from __future__ import annotations

from pydantic import Field

from service.wire.requests.schema import Media, RequestSchema


class GroundRequest(RequestSchema):
    """`POST /ground`."""

    counted = ("phrases",)
    image: Media
    phrases: list[str] = Field(min_length=1)
    scores: bool = Field(
        False, description="also the cosine between each phrase and what is in its box: low where it is not there"
    )
