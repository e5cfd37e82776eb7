"""`POST /audio/labels`."""

from __future__ import annotations

from pydantic import Field

from service.wire.requests.schema import Media, RequestSchema
from service.wire.requests.windows import AudioWindows


class AudioLabelsRequest(RequestSchema):
    """`POST /audio/labels`."""

    audio: Media
    top_k: int = Field(5, ge=1, le=10_000)
    windows: AudioWindows | None = Field(
        None, description="labels for each window, and `labels` by their mean weighted by seconds"
    )
