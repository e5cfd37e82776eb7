"""The forms of a vector's numbers: docs/encodings.md has their formulas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Encoding = Literal["float", "int8", "binary"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
DTYPES: Mapping[Encoding, np.dtype[Any]] = {
    "float": np.dtype("<f4"),
    "int8": np.dtype("i1"),
    "binary": np.dtype("u1"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Vectors in each of the encodings that were asked for.

    Attributes:
        encoded: by encoding.
    """

    encoded: Mapping[Encoding, NDArray[Any]]

    @property
    def int8(self) -> NDArray[np.int8]:
        """int8 [N, D], or [D] of a single vector: round(127 · x / max|x|), each vector by its own scale.

        Raises:
            ValueError: it was not asked for.
        """
        return self._asked("int8")

    @property
    def binary(self) -> NDArray[np.uint8]:
        """uint8 [N, ⌈D / 8⌉], or without N of a single vector: bits, 1 where x > 0; the first in the highest place.

        Raises:
            ValueError: it was not asked for.
        """
        return self._asked("binary")

    def _asked(self, encoding: Encoding) -> NDArray[Any]:
        if encoding not in self.encoded:
            raise ValueError(f"these vectors were asked for as {', '.join(self.encoded)}, not as {encoding}")
        return self.encoded[encoding]


def check_encodings(encoding: Encoding | Iterable[Encoding]) -> tuple[Encoding, ...]:
    """One or several, as a tuple.

    Raises:
        ValueError: there is none, one twice, or one that is unknown.
    """
    chosen: tuple[Encoding, ...] = (encoding,) if isinstance(encoding, str) else tuple(encoding)
    if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(ENCODINGS):
        raise ValueError(f"encoding must be one or several of {', '.join(ENCODINGS)}, not {encoding!r}")
    return chosen


def blank(encoding: Encoding, rows: int, dimensions: int) -> NDArray[Any]:
    """Rows for which there is no vector: NaN as floats, else 0."""
    width = -(-dimensions // 8) if encoding == "binary" else dimensions
    return np.full((rows, width), np.nan if encoding == "float" else 0, dtype=DTYPES[encoding])
