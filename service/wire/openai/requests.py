"""The JSON of `POST /v1/embeddings`, and how each form of an input is said in the items of `/embed`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from service.usecases.quantization import Encoding
from service.wire.requests.items import Audio as AudioItem
from service.wire.requests.items import Image as ImageItem
from service.wire.requests.items import Parts
from service.wire.requests.items import Text as TextItem
from service.wire.requests.schema import TAG_PREFIX, Media, RequestSchema

Plain = dict[str, Any]


class MediaUrl(RequestSchema):
    """Where a file is: a data URI with `;base64`."""

    url: Media
    detail: Literal["auto", "low", "high"] | None = Field(None, description="ignored: every picture has one size here")


class InputAudio(RequestSchema):
    """A sound file."""

    data: Media
    format: str | None = Field(None, max_length=64, description="not believed: the content tells")


class TextPart(RequestSchema):
    """A text among content parts."""

    type: Literal["text"]
    text: str

    def plain(self) -> tuple[Plain, str]:
        """The item of `/embed`, and where its value stands in this part."""
        return {"text": self.text}, "text"


class ImagePart(RequestSchema):
    """A picture among content parts."""

    type: Literal["image_url"]
    image_url: MediaUrl

    def plain(self) -> tuple[Plain, str]:
        """The item of `/embed`, and where its value stands in this part."""
        return {"image": self.image_url.url}, "image_url/url"


class InputAudioPart(RequestSchema):
    """A sound among content parts, as OpenAI's chat takes it."""

    type: Literal["input_audio"]
    input_audio: InputAudio

    def plain(self) -> tuple[Plain, str]:
        """The item of `/embed`, and where its value stands in this part."""
        return {"audio": self.input_audio.data}, "input_audio/data"


class AudioUrlPart(RequestSchema):
    """A sound among content parts, as vLLM takes it."""

    type: Literal["audio_url"]
    audio_url: MediaUrl

    def plain(self) -> tuple[Plain, str]:
        """The item of `/embed`, and where its value stands in this part."""
        return {"audio": self.audio_url.url}, "audio_url/url"


PART_TYPES = ("text", "image_url", "input_audio", "audio_url")
TextTag, ImageTag, InputAudioTag, AudioUrlTag = (Tag(TAG_PREFIX + kind) for kind in PART_TYPES)


def _part_type(value: Any) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return TAG_PREFIX + kind if isinstance(kind, str) and kind in PART_TYPES else None


ContentPart = Annotated[
    Annotated[TextPart, TextTag]
    | Annotated[ImagePart, ImageTag]
    | Annotated[InputAudioPart, InputAudioTag]
    | Annotated[AudioUrlPart, AudioUrlTag],
    Discriminator(
        _part_type,
        custom_error_type="no_part",
        custom_error_message=f"a content part needs a type, one of: {', '.join(PART_TYPES)}",
    ),
]
Content = Annotated[
    Annotated[str, Tag(TAG_PREFIX + "string")]
    | Annotated[Annotated[list[ContentPart], Field(min_length=1)], Tag(TAG_PREFIX + "parts")],
    Discriminator(lambda value: TAG_PREFIX + ("string" if isinstance(value, str) else "parts")),
]


class Fused(RequestSchema):
    """Several things in one vector: the normalised mean of the parts' vectors."""

    content: Content


class Message(Fused):
    """A message of a chat, as vLLM takes it: its content gives one vector."""

    role: Literal["user"] = Field(description="a vector has no use for instructions or answers")


class EmbeddingsOptions(RequestSchema):
    """All but the inputs."""

    model: str = Field(max_length=1000, description="the served model, see `/v1/models`")
    encoding_format: Encoding | None = Field(None, description="float, if left out; int8 and binary are our own")
    dimensions: int | None = Field(None, ge=1, description="only what the model was trained for")
    modality: Literal["text", "image", "audio"] = Field(
        "text", description="what the strings of `input` are, as Infinity takes it: texts, or base64 or data URIs"
    )
    user: str | None = Field(None, description="ignored")


def _one_message(messages: list[Any]) -> list[Any]:
    if len(messages) != 1:
        detail = (
            "one message of the role user is taken: it gives one vector, which has no use for instructions or answers"
        )
        raise PydanticCustomError("one_message", detail, {"max_length": 1, "actual_length": len(messages)})
    return messages


class EmbeddingsEnvelope(EmbeddingsOptions):
    """`POST /v1/embeddings` with its inputs unchecked."""

    input: Any = None
    messages: Annotated[list[Any], AfterValidator(_one_message)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> EmbeddingsEnvelope:
        if (self.input is None) == (self.messages is None):
            raise ValueError("one of 'input' and 'messages' is needed")
        return self


class EmbeddingsRequest(EmbeddingsOptions):
    """`POST /v1/embeddings`: `input`, or one message."""

    input: (
        str
        | list[int]
        | list[str | list[int] | TextItem | ImageItem | AudioItem | Parts | Fused | ContentPart]
        | TextItem
        | ImageItem
        | AudioItem
        | Parts
        | Fused
        | ContentPart
        | None
    ) = Field(None, description="one input or a list of them; a list of integers is one text as the model's token ids")
    messages: list[Message] | None = Field(None, min_length=1, max_length=1, description="gives one vector")
