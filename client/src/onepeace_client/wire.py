"""The seam between calls and protocols: requests and replies as values, and what a protocol must say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from onepeace_client.answers import Boxes, Info, Labels, Similarities
from onepeace_client.contents import AnyContent, MediaContent
from onepeace_client.encodings import Encoding
from onepeace_client.entries import EmbeddedPart
from onepeace_client.errors import OnePeaceError


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
    encodings: tuple[Encoding, ...] = ("float",)


@dataclass(frozen=True, slots=True)
class ClassifyOptions:
    """How to classify; without `templates` by the server's own."""

    templates: tuple[str, ...] = ()
    multi_label: bool = False
    threshold: float | None = None


class Wire(Protocol):
    """Renders requests and reads replies; pure.

    Its `read_…` raise ProtocolError for a reply that is no answer of this API.

    Attributes:
        stream_items: of a stream, in one request or message at most.
    """

    stream_items: int

    def body_bytes(self, content: AnyContent, composed: bool) -> int:
        """Upper bound of what an item adds to a body; `composed`: to one with items for which multipart has no form."""
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

    def read_embed(self, reply: Reply, options: EmbedOptions) -> EmbeddedPart:
        """Vectors, as `options` asked for them."""
        ...

    def similarity(
        self, queries: Sequence[AnyContent], candidates: Sequence[AnyContent], probabilities: bool
    ) -> Outgoing:
        """Ask for cosines."""
        ...

    def read_similarity(self, reply: Reply) -> Similarities:
        """Cosines."""
        ...

    def ground(self, image: MediaContent, phrases: Sequence[str], scores: bool) -> Outgoing:
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

    def audio_labels(self, clip: MediaContent, top_k: int, windows: Windows | None) -> Outgoing:
        """Ask for the trained head's labels."""
        ...

    def read_audio_labels(self, reply: Reply) -> Labels:
        """The trained head's labels."""
        ...
