"""`POST /similarity`."""

from __future__ import annotations

from pydantic import Field

from service.wire.requests.items import AnyItem
from service.wire.requests.schema import RequestSchema


class SimilarityRequest(RequestSchema):
    """`POST /similarity`."""

    counted = ("queries", "candidates")
    queries: list[AnyItem] = Field(min_length=1)
    candidates: list[AnyItem] = Field(min_length=1)
    probabilities: bool = Field(False, description="also softmax(exp(logit_scale) · cosine) over the candidates")
