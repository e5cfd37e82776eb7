"""A vector as an item."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import FailFast, Field, ValidatorFunctionWrapHandler, WithJsonSchema, WrapValidator

from service.errors import InvalidBase64
from service.media.payload import read_payload
from service.usecases.items import VectorItem
from service.wire.requests.schema import RequestSchema

MAX_NUMBERS = 65_536  # of one vector
MAX_VECTOR_CHARS = 6 * MAX_NUMBERS  # of its base64: 4 bytes a number, 4 characters for 3 bytes, and line breaks


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


class Vector(RequestSchema):
    """A vector that the caller has already; `/similarity` only."""

    embedding: Numbers
    fingerprint: str | None = Field(None, max_length=128, description="of the model that made it")

    def item(self, pointer: str) -> VectorItem:
        """The item that stands at `pointer`."""
        return VectorItem(np.asarray(self.embedding), self.fingerprint, pointer)
