"""The things that a caller sends, whatever wire they came by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.media.audio_windows import Windows
from service.media.payload import Payload


@dataclass(frozen=True, slots=True)
class TextItem:
    """A text. `pointer` says where it stands in the request, for errors."""

    text: str
    pointer: str


@dataclass(frozen=True, slots=True)
class TokensItem:
    """A text as ids of the model's own vocabulary."""

    ids: list[int]
    pointer: str


@dataclass(frozen=True, slots=True)
class ImageItem:
    """A picture's file."""

    payload: Payload
    pointer: str


@dataclass(frozen=True, slots=True)
class AudioItem:
    """A clip's file; with `windows` all of it is heard, window by window."""

    payload: Payload
    pointer: str
    windows: Windows | None = None


@dataclass(frozen=True, slots=True)
class VectorItem:
    """A vector that the caller has already, [D], and the fingerprint of the model that made it, if known."""

    vector: NDArray[np.floating]
    fingerprint: str | None
    pointer: str


MediaItem = TextItem | TokensItem | ImageItem | AudioItem


@dataclass(frozen=True, slots=True)
class FusedItem:
    """Several things in one vector: the normalised weighted sum of the parts' vectors."""

    parts: tuple[MediaItem, ...]
    weights: tuple[float, ...]
    pointer: str


Item = MediaItem | VectorItem | FusedItem

_MODALITIES = {
    TextItem: "text",
    TokensItem: "text",
    ImageItem: "image",
    AudioItem: "audio",
    VectorItem: "embedding",
    FusedItem: "fused",
}


def windowed(item: Item, windows: Windows) -> Item:
    """The item with its clips heard in windows."""
    if isinstance(item, FusedItem):
        return replace(item, parts=tuple(_windowed_clip(part, windows) for part in item.parts))
    return item if isinstance(item, VectorItem) else _windowed_clip(item, windows)


def _windowed_clip(item: MediaItem, windows: Windows) -> MediaItem:
    return replace(item, windows=windows) if isinstance(item, AudioItem) else item


def leaves(item: Item) -> tuple[MediaItem | VectorItem, ...]:
    """What has to be computed or checked for an item: its parts, or itself."""
    return item.parts if isinstance(item, FusedItem) else (item,)


def modality(item: Item) -> str:
    """The word for an item in answers and metrics."""
    return _MODALITIES[type(item)]
