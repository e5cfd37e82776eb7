"""What all requests have in common."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, PlainValidator, WithJsonSchema

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


class RequestSchema(BaseModel):
    """Unknown fields are refused: a misspelt option must not pass for its default.

    Attributes:
        counted: the fields whose entries count against `max_items`, with the parts of fused items.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    counted: ClassVar[tuple[str, ...]] = ()
