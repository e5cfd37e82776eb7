"""The JSON of requests: checked by pydantic, shown in `/docs`. Answers stand in `answers.py`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    FailFast,
    Field,
    PlainValidator,
    Tag,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from service.errors import InvalidBase64
from service.media.payload import read_payload
from service.usecases.items import AudioItem, FusedItem, ImageItem, Item, MediaItem, TextItem, TokensItem, VectorItem
from service.usecases.quantization import Encoding

MAX_NUMBERS = 65_536  # of one vector
MAX_TOKEN_ID = 2**31 - 1
MAX_VECTOR_CHARS = 6 * MAX_NUMBERS  # of its base64: 4 bytes a number, 4 characters for 3 bytes, and line breaks
TAG_PREFIX = "item:"  # marks the discriminator's steps in error locations, which no caller knows


def _check_media(value: object) -> object:
    if not isinstance(value, str | bytes):
        raise ValueError("Input should be a string: base64, a data URI or a URL")
    return value


Media = Annotated[
    bytes | str,
    PlainValidator(_check_media),
    WithJsonSchema(
        {"type": "string", "format": "byte", "description": "base64, a data URI with ;base64, or an https URL"}
    ),
]
"""Base64, a data URI or a URL in JSON, the file's bytes in multipart."""


class Request(BaseModel):
    """Unknown fields are refused: a misspelt option must not pass for its default.

    Attributes:
        counted: the fields whose entries count against `max_items`, with the parts of fused items.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    counted: ClassVar[tuple[str, ...]] = ()


class Text(Request):
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


class Tokens(Request):
    """A text as ids of the model's own `tokenizer.json`; the end token is appended if it is missing."""

    tokens: TokenIds

    def item(self, pointer: str) -> TokensItem:
        """The item that stands at `pointer`."""
        return TokensItem(self.tokens, f"{pointer}/tokens")


class Image(Request):
    """A picture: JPEG, PNG, WebP, GIF, BMP or TIFF, told by its content."""

    image: Media

    def item(self, pointer: str) -> ImageItem:
        """The item that stands at `pointer`."""
        return ImageItem(self.image, f"{pointer}/image")


class Audio(Request):
    """A clip: WAV, FLAC, OGG or MP3, told by its content."""

    audio: Media

    def item(self, pointer: str) -> AudioItem:
        """The item that stands at `pointer`."""
        return AudioItem(self.audio, f"{pointer}/audio")


def _read_numbers(value: object, check_list: ValidatorFunctionWrapHandler) -> NDArray[np.floating]:
    """JSON's numbers, or the little-endian float32 of base64; bytes are that already."""
    if not isinstance(value, str | bytes):
        return np.array(check_list(value), dtype=np.float64)
    if len(value) > MAX_VECTOR_CHARS:
        raise ValueError(f"a vector has at most {MAX_NUMBERS} numbers")
    try:
        data = read_payload(value)
    except InvalidBase64 as error:
        raise ValueError(error.detail) from error
    if not data or len(data) % 4:
        raise ValueError("base64 of a vector must hold little-endian float32 numbers, 4 bytes each")
    return np.frombuffer(data, "<f4")


Numbers = Annotated[
    Annotated[list[float], FailFast(), Field(min_length=1, max_length=MAX_NUMBERS)],
    WrapValidator(_read_numbers),
    WithJsonSchema(
        {
            "description": "numbers, or base64 of little-endian float32",
            "oneOf": [
                {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": MAX_NUMBERS},
                {"type": "string", "format": "byte"},
            ],
        }
    ),
]


class Vector(Request):
    """A vector that the caller has already; `/similarity` only."""

    embedding: Numbers
    fingerprint: str | None = Field(None, max_length=128, description="of the model that made it")

    def item(self, pointer: str) -> VectorItem:
        """The item that stands at `pointer`."""
        return VectorItem(np.asarray(self.embedding), self.fingerprint, pointer)


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


class Parts(Request):
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


def _one_encoding_of_each_kind(value: list[Encoding]) -> list[Encoding]:
    if len(set(value)) != len(value):
        raise ValueError("an encoding stands twice")
    return value


Encodings = Annotated[
    list[Encoding],
    Field(min_length=1, max_length=len(get_args(Encoding))),
    AfterValidator(_one_encoding_of_each_kind),
]


class AudioWindows(Request):
    """Hear all of a long clip, window by window."""

    seconds: float = Field(gt=0, description="length of a window; within the model's min_audio_s and max_audio_s")
    hop: float | None = Field(
        None, gt=0, description="seconds from one window's start to the next; the window's length when left out"
    )


class EmbedOptions(Request):
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


class SimilarityRequest(Request):
    """`POST /similarity`."""

    counted = ("queries", "candidates")
    queries: list[AnyItem] = Field(min_length=1)
    candidates: list[AnyItem] = Field(min_length=1)
    probabilities: bool = Field(False, description="also softmax(exp(logit_scale) · cosine) over the candidates")


class GroundRequest(Request):
    """`POST /ground`."""

    counted = ("phrases",)
    image: Media
    phrases: list[str] = Field(min_length=1)
    scores: bool = Field(
        False, description="also the cosine between each phrase and what is in its box: low where it is not there"
    )


Template = Annotated[str, Field(max_length=1000)]


class ClassifyRequest(Request):
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


class AudioLabelsRequest(Request):
    """`POST /audio/labels`."""

    audio: Media
    top_k: int = Field(5, ge=1, le=10_000)
    windows: AudioWindows | None = Field(
        None, description="labels for each window, and `labels` by their mean weighted by seconds"
    )


class VqaRequest(Request):
    """`POST /vqa`."""

    image: Media
    question: str
    top_k: int = Field(5, ge=1, le=10_000)


class AudioQaRequest(Request):
    """`POST /audio/qa`."""

    counted = ("candidates",)
    audio: Media
    question: str
    candidates: list[str] = Field(min_length=1)


class ImagePairRequest(Request):
    """`POST /image-pair`."""

    image: Media
    image_2: Media
    text: str


def items_at(models: list[Any], pointer: str) -> list[Item]:
    """The items of a checked list that stands at `pointer`."""
    return [model.item(f"{pointer}/{i}") for i, model in enumerate(models)]
