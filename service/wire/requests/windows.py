"""Windows over clips, as requests ask for them."""

from __future__ import annotations

from pydantic import Field

from service.wire.requests.schema import RequestSchema


class AudioWindows(RequestSchema):
    """Hear all of a long clip, window by window."""

    seconds: float = Field(gt=0, description="length of a window; within the model's min_audio_s and max_audio_s")
    hop: float | None = Field(
        None, gt=0, description="seconds from one window's start to the next; the window's length when left out"
    )
