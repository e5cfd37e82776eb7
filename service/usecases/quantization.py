"""Smaller forms of vectors. What is lost by each on the shipped model stands in docs/encodings.md."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Form = Literal["float", "int8", "binary"]
Encoding = Literal["float", "base64", "int8", "binary"]
"""What callers ask for by name: a form of the numbers, and for `float` whether JSON spells them out."""
FORMS: dict[Encoding, Form] = {"float": "float", "base64": "float", "int8": "int8", "binary": "binary"}

INT8_LARGEST = 127


def quantize(vectors: NDArray[np.float32], form: Form) -> NDArray[Any]:
    """Float32 [..., D] in a form: `float` as it is, `int8` see `to_int8`, `binary` see `to_bits`."""
    match form:
        case "float":
            return np.ascontiguousarray(vectors, "<f4")
        case "int8":
            return to_int8(vectors)
        case "binary":
            return to_bits(vectors)


def to_int8(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """round(127 · x / max|x|) of each vector: int8 [..., D], −127 to 127.

    The scale is the vector's own, so that all 255 steps are used whatever D is; cosines need no scale:
    cos(x, y) ≈ q·r / (‖q‖·‖r‖).
    """
    largest = np.abs(vectors).max(axis=-1, keepdims=True)
    scaled: NDArray[np.float32] = np.rint(vectors * (INT8_LARGEST / largest))
    return scaled.astype(np.int8)


def to_bits(vectors: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Bit i is x_i > 0, eight to a byte, the first in the highest place: uint8 [..., ⌈D / 8⌉], filled up with 0.

    cos(x, y) ≈ cos(π · h / D) for a Hamming distance h (Charikar 2002, "Similarity estimation techniques").
    """
    return np.packbits(vectors > 0, axis=-1)


def shorten(vector: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """The first `dimensions` numbers of float32 [..., D], L2-normalised anew."""
    if vector.shape[-1] == dimensions:
        return vector
    return normalize(vector[..., :dimensions], float(np.finfo(np.float32).tiny))


def normalize(vectors: NDArray[np.floating], least_norm: float) -> NDArray[np.float32]:
    """Float32 [..., D] with L2 norms of 1; what is shorter than `least_norm` stays shorter than 1."""
    exact = vectors.astype(np.float64)
    norms = np.linalg.norm(exact, axis=-1, keepdims=True)
    return np.asarray(exact / np.maximum(norms, least_norm), dtype=np.float32)
