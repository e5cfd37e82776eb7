"""`POST /embed`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Discriminator, Field, Tag

from service.usecases.quantization import Encoding
from service.wire.requests.items import EmbedItem
from service.wire.requests.schema import TAG_PREFIX, RequestSchema
from service.wire.requests.windows import AudioWindows


def _one_encoding_of_each_kind(value: list[Encoding]) -> list[Encoding]:
    if len(set(value)) != len(value):
        raise ValueError("an encoding stands twice")
    return value


Encodings = Annotated[
    list[Encoding],
    Field(min_length=1, max_length=len(get_args(Encoding))),
    AfterValidator(_one_encoding_of_each_kind),
]


class EmbedOptions(RequestSchema):
    """How vectors are given, and what errors do."""

    encoding: Annotated[
        Annotated[Encoding, Tag(TAG_PREFIX + "one")] | Annotated[Encodings, Tag(TAG_PREFIX + "many")],
        Discriminator(lambda value: TAG_PREFIX + ("many" if isinstance(value, list) else "one")),
    ] = Field(
        "float",
        description="float: numbers; base64: little-endian float32; int8, binary: base64 of their bytes. "
        "A list gives `embeddings`, by name, in the place of `embedding`",
    )
    dimensions: int | None = Field(
        None, ge=1, description="first numbers of each vector, L2-normalised anew; only what the model was trained for"
    )
    windows: AudioWindows | None = Field(
        None, description="for clips: a vector for each window, and `embedding` is their mean weighted by seconds"
    )
    on_error: Literal["fail", "report"] = Field("fail", description="what one bad item does to its request")


class EmbedRequest(EmbedOptions):
    """`POST /embed`."""

    counted = ("inputs",)
    inputs: list[EmbedItem] = Field(min_length=1)


class EmbedEnvelope(EmbedOptions):
    """`POST /embed` with its items unchecked: each is checked by itself, for `on_error`."""

    counted = ("inputs",)
    inputs: list[Any] = Field(min_length=1)
