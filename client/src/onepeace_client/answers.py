"""What calls give back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onepeace_client.encodings import Encoded
from onepeace_client.errors import InputProblem

Note = Mapping[str, Any]
"""What the server did to an item: `{"tokens": 2, "truncated": False}`, `{"width": 160, "height": 160}`, …"""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What every answer says.

    Attributes:
        model: the model's name.
        fingerprint: SHA-256 that names what computed this.
    """

    model: str
    fingerprint: str


@dataclass(frozen=True, slots=True, eq=False)
class WindowVectors(Encoded):
    """A clip's windows in the order of time.

    Attributes:
        spans_s: float64 [W, 2]: start and end in seconds from the clip's start.
    """

    spans_s: NDArray[np.float64]

    @property
    def vectors(self) -> NDArray[np.float32]:
        """float32 [W, D], each row of L2 norm 1.

        Raises:
            ValueError: it was not asked for.
        """
        return self._asked("float")


@dataclass(frozen=True, slots=True, eq=False)
class WindowLabels:
    """The labels of a part of a clip, best first, with their probabilities, float64 [L]."""

    start_s: float
    end_s: float
    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings(Encoded):
    """Vectors in the order of the items.

    Attributes:
        model, fingerprint: as in every answer.
        inputs: what was done to each item; None where it has an error.
        errors: under `on_error="report"`, what was wrong, by the item's index; there `vectors` is NaN, the rest 0.
        windows: of the clips, by the item's index, if windows were asked for.
    """

    model: str
    fingerprint: str
    inputs: tuple[Note | None, ...]
    errors: Mapping[int, InputProblem] = field(default_factory=dict)
    windows: Mapping[int, WindowVectors] = field(default_factory=dict)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """float32 [N, D], each row of L2 norm 1.

        Raises:
            ValueError: it was not asked for.
        """
        return self._asked("float")


@dataclass(frozen=True, slots=True, eq=False)
class Embedding(Encoded):
    """One item's answer in a stream.

    Attributes:
        model, fingerprint: as in every answer.
        index: of the item, from 0.
        input: what was done to it; None where it has an error.
        error: under `on_error="report"`, what was wrong; then there is no vector: `vector` is NaN, the rest 0.
        windows: of a clip, if windows were asked for.
    """

    model: str
    fingerprint: str
    index: int
    input: Note | None
    error: InputProblem | None = None
    windows: WindowVectors | None = None

    @property
    def vector(self) -> NDArray[np.float32]:
        """float32 [D], of L2 norm 1.

        Raises:
            ValueError: it was not asked for.
        """
        return self._asked("float")


@dataclass(frozen=True, slots=True, eq=False)
class Similarities(Answer):
    """`similarity`: cosines, float32 [queries, candidates]; `probabilities`: float64, each row sums to 1, if asked."""

    similarity: NDArray[np.float32]
    probabilities: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Boxes(Answer):
    """Where each phrase is.

    Attributes:
        phrases: as asked, P of them.
        boxes: float64 [P, 4]: x0, y0, x1, y1 in pixels of the upright picture.
        boxes_normalized: float64 [P, 4]: the same as fractions of its sides.
        width, height: of the upright picture, in pixels.
        scores: float64 [P], if asked for: cosine between each phrase and what is in its box.
    """

    phrases: tuple[str, ...]
    boxes: NDArray[np.float64]
    boxes_normalized: NDArray[np.float64]
    width: int
    height: int
    scores: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Labels(Answer):
    """Labels with their probabilities, float64 [L], best first.

    Attributes:
        input: what was done to the item.
        windows: of a clip in the order of time, if they were asked for.
        cosines: float64 [L], of the caller's own labels: what their probabilities come from.
        none_of_these: the probability that no label is right, if a threshold was given.
    """

    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]
    input: Note
    windows: tuple[WindowLabels, ...] = ()
    cosines: NDArray[np.float64] | None = None
    none_of_these: float | None = None

    def __iter__(self) -> Iterator[tuple[str, float]]:
        """Pairs of label and probability."""
        return iter(zip(self.labels, self.probabilities.tolist(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Info(Answer):
    """What is served.

    Attributes:
        dimensions: of a vector.
        limits: the server's limits by their names; calls are split by `max_items` and `max_body_bytes`.
        models: the card of each model.
        whole: all that the server says.
    """

    dimensions: int
    version: str
    limits: Mapping[str, Any]
    models: Mapping[str, Mapping[str, Any]]
    whole: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.max_items < 1 or self.max_body_bytes < 1:
            raise ValueError("limits below 1")

    @property
    def max_items(self) -> int:
        """Items in one request."""
        return int(self.limits["max_items"])

    @property
    def max_body_bytes(self) -> int:
        """Bytes of one request."""
        return int(self.limits["max_body_bytes"])
