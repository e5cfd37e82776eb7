"""What a caller passes: strings, paths, bytes, pictures, sounds, fused things, vectors; checked before it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from onepeace_client import arrays
from onepeace_client.contents import (
    Content,
    FusedContent,
    Source,
    TokensContent,
    UrlContent,
    VectorContent,
    read_file,
    tell_kind,
)

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

FileLike: TypeAlias = "bytes | Path | str"
"""A `str` is a URL, `https://…`, which the server fetches if its operator allows the host."""
MAX_TOKEN_ID = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A picture: a file, its bytes or URL, a PIL picture, or uint8 [H, W, 3] (RGB) or [H, W]."""

    source: FileLike | NDArray[np.uint8] | PilImage


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """A sound: a file, its bytes or URL, or floats (full scale ±1) or int16, [T] or [T, C], with their rate in Hz."""

    source: FileLike | NDArray[Any]
    sample_rate_hz: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """A text as ids of the model's own `tokenizer.json`; the server appends the end token if it is missing."""

    ids: Sequence[int] | NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Fused:
    """Several things in one vector: the normalised weighted sum of their vectors; all weights are 1 if left out."""

    parts: Sequence[Part]
    weights: Sequence[float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """A vector that was made before, [D]; `similarity` only. With `fingerprint` the server refuses another model's."""

    values: NDArray[Any]
    fingerprint: str | None = None


Part: TypeAlias = "str | bytes | Path | PilImage | NDArray[np.uint8] | Image | Audio | Tokens"
"""`str` is a text; a `Path` or `bytes` is a picture's or a sound's file, which its content tells."""
Item: TypeAlias = "Part | Fused"
Comparable: TypeAlias = "Item | Vector"


def check_items(values: Iterable[Any], name: str, allowed: tuple[type, ...] = (Fused,)) -> list[Source]:
    """Look at each item of the list `name`, without reading files.

    Raises:
        TypeError, ValueError: an item is none, or the list is none or empty; the message says which.
    """
    check_list(values, name)
    sources = [check_item(value, f"{name}[{index}]", allowed) for index, value in enumerate(values)]
    if not sources:
        raise ValueError(f"{name} must not be empty")
    return sources


def check_list(values: object, name: str) -> None:
    """Refuse what is no list of items, without reading it.

    Raises:
        TypeError: a single item, say.
    """
    if isinstance(values, str | bytes | Path) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list of items, not {type(values).__name__}: wrap a single item in [ ]")
    if isinstance(values, np.ndarray) and values.ndim != 4:
        raise TypeError(f"{name} must be a list of items; an array of pictures is [N, H, W, 3], not {values.shape}")


def check_item(value: Any, place: str, allowed: tuple[type, ...] = ()) -> Source:
    """Look at the item that stands at `place`; of Fused and Vector, only the `allowed`.

    Raises:
        TypeError, ValueError: it is none.
    """
    try:
        return _source(value, place, allowed)
    except (TypeError, ValueError) as error:
        message = str(error)
        raise type(error)(message if message.startswith(place) else f"{place}: {message}") from None


def check_image(value: Any, place: str) -> Source:
    """Look at what must be a picture.

    Raises:
        TypeError, ValueError: it is none.
    """
    if isinstance(value, str | Audio | Tokens):
        raise TypeError(f"{place}: must be a picture, not {type(value).__name__}")
    return check_item(Image(value) if isinstance(value, bytes | Path) else value, place)


def check_audio(value: Any, place: str) -> Source:
    """Look at what must be a sound.

    Raises:
        TypeError, ValueError: it is none.
    """
    if isinstance(value, bytes | Path):
        value = Audio(value)
    if not isinstance(value, Audio):
        raise TypeError(f"{place}: must be a sound (Path, bytes or Audio), not {type(value).__name__}")
    return check_item(value, place)


def check_texts(values: Iterable[str], name: str) -> list[str]:
    """Look at a list of labels or phrases.

    Raises:
        TypeError, ValueError: one is no string that UTF-8 can carry, or there are none.
    """
    if isinstance(values, str):
        raise TypeError(f"{name} must be a list of strings: wrap a single one in [ ]")
    texts = list(values)
    if not texts:
        raise ValueError(f"{name} must not be empty")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{name}[{index}]: must be a string, not {type(text).__name__}")
        check_item(text, f"{name}[{index}]")
    return texts


def _source(value: Any, place: str, allowed: tuple[type, ...]) -> Source:
    if isinstance(value, str):
        return _ready(Content("text", _encoded(value)), place)
    if isinstance(value, bytes):
        return Source(place, lambda: Content(tell_kind(value), value))
    if isinstance(value, Path):
        return Source(place, partial(read_file, value, None))
    if isinstance(value, Audio):
        return _audio(value, place)
    if isinstance(value, Image):
        return _image(value.source, place)
    if isinstance(value, np.ndarray) or arrays.is_pil_image(value):
        return _image(value, place)
    if isinstance(value, Tokens):
        tokens = _tokens(value)
        return Source(place, lambda: tokens, composed=True)
    return _composed(value, place, allowed)


def _composed(value: Any, place: str, allowed: tuple[type, ...]) -> Source:
    if isinstance(value, Fused) and Fused in allowed:
        return _fused(value, place)
    if isinstance(value, Vector) and Vector in allowed:
        vector = _vector(value)
        return Source(place, lambda: vector, composed=True, vector=vector)
    known = "str (a text), Path, bytes, Image, Audio, Tokens, a PIL picture, a uint8 array"
    more = "".join(f", {kind.__name__}" for kind in allowed)
    raise TypeError(f"{type(value).__name__} is no item here; known are {known}{more}")


def _ready(content: Content, place: str) -> Source:
    return Source(place, lambda: content)


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"the text holds a lone surrogate at {error.start}, which UTF-8 can't carry") from None


def _image(source: Any, place: str) -> Source:
    if isinstance(source, bytes):
        return _ready(Content("image", source), place)
    if isinstance(source, Path):
        return Source(place, partial(read_file, source, "image"))
    if isinstance(source, np.ndarray):
        arrays.check_pixels(source)
        return Source(place, lambda: Content("image", arrays.picture_file(source)))
    if arrays.is_pil_image(source):
        return Source(place, lambda: Content("image", arrays.pil_file(source)))
    if isinstance(source, str):
        return _url("image", source, place)
    raise TypeError(f"Image takes a Path, bytes, a URL, a PIL picture or a uint8 array, not {type(source).__name__}")


def _audio(audio: Audio, place: str) -> Source:
    source = audio.source
    if isinstance(source, bytes):
        return _ready(Content("audio", source), place)
    if isinstance(source, Path):
        return Source(place, partial(read_file, source, "audio"))
    if isinstance(source, np.ndarray):
        arrays.check_samples(source, audio.sample_rate_hz)
        rate = int(audio.sample_rate_hz or 0)
        return Source(place, lambda: Content("audio", arrays.sound_file(source, rate)))
    if isinstance(source, str):
        return _url("audio", source, place)
    raise TypeError(f"Audio takes a Path, bytes, a URL or an array, not {type(source).__name__}")


def _url(kind: Literal["image", "audio"], url: str, place: str) -> Source:
    if not url.lower().startswith("https://"):
        raise ValueError(f"a str is a URL here and must begin with https://, not {url[:64]!r}; a file is Path(…)")
    _encoded(url)
    return Source(place, lambda: UrlContent(kind, url), composed=True)


def _tokens(tokens: Tokens) -> TokensContent:
    ids = np.asarray(tokens.ids)
    if ids.ndim != 1 or not len(ids) or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"ids must be integers of the shape [n], at least one, not {ids.dtype} {list(ids.shape)}")
    if ids.min() < 0 or ids.max() > MAX_TOKEN_ID:
        raise ValueError(f"ids must lie within 0 and {MAX_TOKEN_ID}")
    return TokensContent(tuple(ids.tolist()))


def _fused(fused: Fused, place: str) -> Source:
    parts = check_items(fused.parts, f"{place}.parts", ())
    weights = tuple(float(weight) for weight in fused.weights) if fused.weights is not None else (1.0,) * len(parts)
    if len(weights) != len(parts):
        raise ValueError(f"{len(weights)} weights for {len(parts)} parts")
    if not np.isfinite(weights).all():
        raise ValueError("weights must be finite")

    def load() -> FusedContent:
        return FusedContent(tuple(part.load_part() for part in parts), weights)

    return Source(place, load, parts=len(parts), composed=True)


def _vector(vector: Vector) -> VectorContent:
    values = np.asarray(vector.values)
    if values.ndim != 1 or not len(values) or not np.issubdtype(values.dtype, np.number):
        raise ValueError(f"a vector must be numbers of the shape [D], not {values.dtype} {list(values.shape)}")
    if not np.isfinite(values).all():
        raise ValueError("a vector must be finite")
    return VectorContent(values.astype(np.float32), vector.fingerprint)
