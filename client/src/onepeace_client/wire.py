"""The seam between calls and protocols: requests and replies as values, and what a protocol must say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from onepeace_client.answers import Answer, Boxes, Info, Labels, Note, Similarities, WindowVectors
from onepeace_client.contents import AnyContent, Content
from onepeace_client.errors import InputProblem, OnePeaceError


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request, rendered: HTTP's or one gRPC call's."""

    path: str
    body: bytes = b""
    method: Literal["GET", "POST"] = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: an HTTP status or a gRPC code, headers or trailing metadata (names in lower case), the body."""

    status: int
    headers: Mapping[str, str | bytes]
    body: bytes
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Windows:
    """Hear all of a long clip: windows of so many `seconds`, one every `hop` seconds (without: one after the other)."""

    seconds: float
    hop: float | None = None


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """How to embed."""

    on_error: Literal["fail", "report"] = "fail"
    dimensions: int | None = None
    windows: Windows | None = None


@dataclass(frozen=True, slots=True)
class ClassifyOptions:
    """How to classify."""

    template: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedPart(Answer):
    """One request's share of an embedding: vectors float32 [n, D], NaN where `errors` has the row."""

    vectors: NDArray[np.float32]
    inputs: tuple[Note | None, ...]
    errors: Mapping[int, InputProblem]
    windows: Mapping[int, WindowVectors]


class Wire(Protocol):
    """Renders requests and reads replies; pure.

    Its `read_…` raise ProtocolError for a reply that is no answer of this API.
    """

    def body_bytes(self, content: AnyContent, composed: bool) -> int:
        """Upper bound of what an item adds to a body; `composed`: the request has fused items or vectors."""
        ...

    def failure(self, reply: Reply) -> OnePeaceError | None:
        """The error that a reply carries, if any."""
        ...

    def info(self) -> Outgoing:
        """Ask what is served."""
        ...

    def read_info(self, reply: Reply) -> Info:
        """What is served."""
        ...

    def embed(self, contents: Sequence[AnyContent], options: EmbedOptions) -> Outgoing:
        """Ask for vectors."""
        ...

    def read_embed(self, reply: Reply) -> EmbeddedPart:
        """Vectors."""
        ...

    def similarity(
        self, queries: Sequence[AnyContent], candidates: Sequence[AnyContent], probabilities: bool
    ) -> Outgoing:
        """Ask for cosines."""
        ...

    def read_similarity(self, reply: Reply) -> Similarities:
        """Cosines."""
        ...

    def ground(self, image: Content, phrases: Sequence[str]) -> Outgoing:
        """Ask for boxes."""
        ...

    def read_ground(self, reply: Reply) -> Boxes:
        """Boxes."""
        ...

    def classify(self, item: AnyContent, labels: Sequence[str], options: ClassifyOptions) -> Outgoing:
        """Ask which of the caller's labels fits."""
        ...

    def read_classify(self, reply: Reply) -> Labels:
        """The caller's labels."""
        ...

    def audio_labels(self, clip: Content, top_k: int, windows: Windows | None) -> Outgoing:
        """Ask for the trained head's labels."""
        ...

    def read_audio_labels(self, reply: Reply) -> Labels:
        """The trained head's labels."""
        ...
