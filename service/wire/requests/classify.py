"""`POST /classify`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from service.wire.requests.items import EmbedItem
from service.wire.requests.schema import RequestSchema

Template = Annotated[str, Field(max_length=1000)]


class ClassifyRequest(RequestSchema):
    """`POST /classify`."""

    counted = ("labels", "templates", "input")
    input: EmbedItem
    labels: list[str] = Field(min_length=1)
    template: Template | None = Field(None, description="holds `{}` once, where the label goes")
    templates: list[Template] | None = Field(
        None, min_length=1, description="several: a label's vector is the normalised mean over them"
    )
    multi_label: bool = Field(False, description="labels don't exclude each other; needs a threshold")
    threshold: float | None = Field(
        None, ge=-1, le=1, description="cosine from which a label counts; the rest is `none_of_these`"
    )
