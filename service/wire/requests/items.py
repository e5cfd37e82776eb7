"""Items of requests, and the items of use cases that they stand for."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, FailFast, Field, Tag, model_validator

from service.usecases.items import AudioItem, FusedItem, ImageItem, Item, MediaItem, TextItem, TokensItem
from service.wire.requests.schema import TAG_PREFIX, Media, RequestSchema
from service.wire.requests.vector import Vector

MAX_TOKEN_ID = 2**31 - 1


class Text(RequestSchema):
    """A text; cut to the model's length, which the answer says."""

    text: str

    def item(self, pointer: str) -> TextItem:
        """The item that stands at `pointer`."""
        return TextItem(self.text, f"{pointer}/text")


TokenIds = Annotated[
    list[Annotated[int, Field(ge=0, le=MAX_TOKEN_ID)]],
    FailFast(),
    Field(min_length=1, description="ids of the served model's own tokenizer.json"),
]


class Tokens(RequestSchema):
    """A text as ids of the model's own `tokenizer.json`; the end token is appended if it is missing."""

    tokens: TokenIds

    def item(self, pointer: str) -> TokensItem:
        """The item that stands at `pointer`."""
        return TokensItem(self.tokens, f"{pointer}/tokens")


class Image(RequestSchema):
    """A picture: JPEG, PNG, WebP, GIF, BMP or TIFF, told by its content."""

    image: Media

    def item(self, pointer: str) -> ImageItem:
        """The item that stands at `pointer`."""
        return ImageItem(self.image, f"{pointer}/image")


class Audio(RequestSchema):
    """A clip: WAV, FLAC, OGG or MP3, told by its content."""

    audio: Media

    def item(self, pointer: str) -> AudioItem:
        """The item that stands at `pointer`."""
        return AudioItem(self.audio, f"{pointer}/audio")


def _kind(value: Any) -> str | None:
    keys = value if isinstance(value, dict) else getattr(value, "model_fields_set", ())
    return next((TAG_PREFIX + kind for kind in KINDS if kind in keys), None)


KINDS = ("text", "tokens", "image", "audio", "embedding", "parts")
TextTag, TokensTag, ImageTag, AudioTag, VectorTag, PartsTag = (Tag(TAG_PREFIX + kind) for kind in KINDS)


def _one_of(what: str, *kinds: str) -> Discriminator:
    detail = f"{what} needs one of: {', '.join(kinds)}"
    return Discriminator(_kind, custom_error_type="no_kind", custom_error_message=detail)


Part = Annotated[
    Annotated[Text, TextTag] | Annotated[Tokens, TokensTag] | Annotated[Image, ImageTag] | Annotated[Audio, AudioTag],
    _one_of("a part", *KINDS[:4]),
]


class Parts(RequestSchema):
    """Several things in one vector: the normalised weighted sum of the parts' vectors."""

    parts: list[Part] = Field(min_length=1)
    weights: list[float] | None = Field(None, description="one for each part; all 1 when left out")

    @model_validator(mode="after")
    def _one_weight_for_each_part(self) -> Parts:
        if self.weights is not None and len(self.weights) != len(self.parts):
            raise ValueError(f"{len(self.weights)} weights for {len(self.parts)} parts")
        return self

    def item(self, pointer: str) -> FusedItem:
        """The item that stands at `pointer`."""
        parts: tuple[MediaItem, ...] = tuple(part.item(f"{pointer}/parts/{i}") for i, part in enumerate(self.parts))
        return FusedItem(parts, tuple(self.weights or [1.0] * len(parts)), pointer)


EmbedItem = Annotated[
    Annotated[Text, TextTag]
    | Annotated[Tokens, TokensTag]
    | Annotated[Image, ImageTag]
    | Annotated[Audio, AudioTag]
    | Annotated[Parts, PartsTag],
    _one_of("an item", *KINDS[:4], "parts"),
]
AnyItem = Annotated[
    Annotated[Text, TextTag]
    | Annotated[Tokens, TokensTag]
    | Annotated[Image, ImageTag]
    | Annotated[Audio, AudioTag]
    | Annotated[Parts, PartsTag]
    | Annotated[Vector, VectorTag],
    _one_of("an item", *KINDS),
]


def items_at(models: list[Any], pointer: str) -> list[Item]:
    """The items of a checked list that stands at `pointer`."""
    return [model.item(f"{pointer}/{i}") for i, model in enumerate(models)]
