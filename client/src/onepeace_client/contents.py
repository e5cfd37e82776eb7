"""Items as the wire takes them, and the sources that yield them when their turn comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from onepeace_client.file_kind import HEAD_BYTES, Kind, media_kind


class UnknownFile(ValueError):
    """Bytes that begin neither a picture's nor a sound's file."""


@dataclass(frozen=True, slots=True)
class Content:
    """A text as UTF-8, or a picture's or a sound's file."""

    kind: Kind
    data: bytes


@dataclass(frozen=True, slots=True)
class UrlContent:
    """Where the server shall fetch a file."""

    kind: Literal["image", "audio"]
    url: str


@dataclass(frozen=True, slots=True)
class TokensContent:
    """A text as ids of the model's tokenizer."""

    ids: tuple[int, ...]


MediaContent = Content | UrlContent
PartContent = Content | UrlContent | TokensContent


@dataclass(frozen=True, slots=True)
class FusedContent:
    """Several contents that become one vector."""

    parts: tuple[PartContent, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class VectorContent:
    """float32 [D]."""

    values: NDArray[np.float32]
    fingerprint: str | None


AnyContent = PartContent | FusedContent | VectorContent


@dataclass(frozen=True, slots=True)
class Source:
    """One item of the caller's, not yet read or encoded.

    Attributes:
        place: what errors call it, such as `items[3]`.
        parts: how many items the server counts it for.
        composed: a fused item, a vector, a URL or ids, for which multipart has no form.
        vector: what it is, if it is a vector.
    """

    place: str
    loader: Callable[[], AnyContent]
    parts: int = 1
    composed: bool = False
    vector: VectorContent | None = None

    def load(self) -> AnyContent:
        """Read or encode it.

        Raises:
            OSError: the file can't be read.
            UnknownFile: it is neither picture nor sound; the message names the item.
        """
        try:
            return self.loader()
        except UnknownFile as error:
            message = str(error)
            raise UnknownFile(message if message.startswith(self.place) else f"{self.place}: {message}") from None

    def load_part(self) -> PartContent:
        """Load what can't be fused or a vector."""
        content = self.load()
        if isinstance(content, FusedContent | VectorContent):
            raise TypeError(f"{self.place}: a fused item or a vector can't stand here")
        return content

    def load_media(self) -> MediaContent:
        """Load what can only be a file or its URL."""
        content = self.load_part()
        if isinstance(content, TokensContent):
            raise TypeError(f"{self.place}: ids can't stand here")
        return content


def tell_kind(data: bytes) -> Literal["image", "audio"]:
    """The kind of a file's content.

    Raises:
        UnknownFile: it is none.
    """
    kind = media_kind(data[:HEAD_BYTES])
    if kind is None:
        raise UnknownFile("neither a picture's nor a sound's file; pass a text as str")
    return kind


def read_file(path: Path, kind: Literal["image", "audio"] | None) -> Content:
    """Read a file; with no `kind`, its content tells it.

    Raises:
        OSError: it can't be read.
        UnknownFile: it is neither picture nor sound.
    """
    data = path.read_bytes()
    try:
        return Content(kind or tell_kind(data), data)
    except UnknownFile as error:
        raise UnknownFile(f"{path.name}: {error}") from None
