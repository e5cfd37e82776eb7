"""Vectors in JSON: as numbers, or as base64 of their bytes."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.usecases.quantization import FORMS, Encoding, quantize


def encoded(vector: NDArray[np.float32], encoding: Encoding) -> NDArray[np.float32] | str:
    """Float32 [D] for JSON: `float` gives the numbers themselves, the others base64.

    `base64` holds little-endian float32, `int8` and `binary` the bytes of `quantize`.
    """
    if encoding == "float":
        return vector
    return binascii.b2a_base64(quantize(vector, FORMS[encoding]).tobytes(), newline=False).decode()


def encoded_fields(vector: NDArray[np.float32], wanted: Encoding | Sequence[Encoding]) -> dict[str, Any]:
    """`embedding` for one encoding; `embeddings`, by name, for a list of them."""
    if isinstance(wanted, str):
        return {"embedding": encoded(vector, wanted)}
    return {"embeddings": {encoding: encoded(vector, encoding) for encoding in wanted}}
