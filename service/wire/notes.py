"""The schemas of what answers say was done to an item; `preprocessing.py` makes them."""

from __future__ import annotations

from pydantic import BaseModel, Field


class TextNote(BaseModel):
    """What was read of a text."""

    tokens: int = Field(description="ids that were used, the end token left out")
    truncated: bool = Field(description="whether the text was longer than the model reads")


class ImageNote(BaseModel):
    """Size of the upright picture, pixels."""

    width: int
    height: int


class AudioNote(BaseModel):
    """What was heard of a clip."""

    seconds: float = Field(description="length of the file")
    used_seconds: float = Field(description="length of what the model heard")
    sample_rate_hz: int = Field(description="of the file")


class FusedNote(BaseModel):
    """What was done to each part of a fused item."""

    parts: list[TextNote | ImageNote | AudioNote]


ItemNote = TextNote | ImageNote | AudioNote | FusedNote
