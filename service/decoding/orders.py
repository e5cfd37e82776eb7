"""What a decoder is asked to do, complete in itself: the file, and what the model and the limits say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from service.media.audio import AudioSpec, DecodedAudio, decode_audio
from service.media.audio_windows import Clip, Windows, decode_clip, measure_clip
from service.media.image import DecodedImage, Pixels, Region, decode_image, decode_regions
from service.media.payload import Payload, read_payload

Fields = Mapping[str, Any]
"""What JSON can carry."""
Raw = npt.NDArray[np.uint8]
"""The bytes of an array, [n]."""
Result = TypeVar("Result")


class Order(Protocol[Result]):
    """One file to decode.

    A process gets `fields` and the payload, and gives `pack` of its result: fields and an array, whose bytes
    `unpack` takes.
    """

    kind: ClassVar[str]

    @property
    def payload(self) -> Payload:
        """The file."""
        ...

    def run(self) -> Result:
        """Decode it, here and now.

        Raises:
            InputError: see the decoders.
        """
        ...

    def fields(self) -> dict[str, Any]:
        """All but the payload."""
        ...

    def pack(self, result: Result) -> tuple[dict[str, Any], npt.NDArray[Any]]:
        """The result as fields and one array."""
        ...

    def unpack(self, fields: Fields, raw: Raw) -> Result:
        """The result again, equal bit for bit.

        Raises:
            KeyError, TypeError, ValueError: this is not what `pack` made.
        """
        ...


@dataclass(frozen=True, slots=True)
class ImageOrder:
    """A picture at `size`; see `decode_image`."""

    kind: ClassVar[str] = "image"
    payload: Payload
    size: int
    max_pixels: int

    def run(self) -> DecodedImage:
        """As `Order`."""
        return decode_image(read_payload(self.payload), size=self.size, max_pixels=self.max_pixels)

    def fields(self) -> dict[str, Any]:
        """As `Order`."""
        return {"size": self.size, "max_pixels": self.max_pixels}

    def pack(self, result: DecodedImage) -> tuple[dict[str, Any], Pixels]:
        """As `Order`."""
        return {"width": result.width, "height": result.height}, result.pixels

    def unpack(self, fields: Fields, raw: Raw) -> DecodedImage:
        """As `Order`."""
        return DecodedImage(raw.reshape(3, self.size, self.size), **fields)


@dataclass(frozen=True, slots=True)
class RegionsOrder:
    """Regions of one picture, each at `size`; see `decode_regions`."""

    kind: ClassVar[str] = "regions"
    payload: Payload
    regions: tuple[Region, ...]
    size: int
    max_pixels: int

    def run(self) -> list[Pixels]:
        """As `Order`."""
        data = read_payload(self.payload)
        return decode_regions(data, self.regions, size=self.size, max_pixels=self.max_pixels)

    def fields(self) -> dict[str, Any]:
        """As `Order`."""
        return {"regions": self.regions, "size": self.size, "max_pixels": self.max_pixels}

    def pack(self, result: list[Pixels]) -> tuple[dict[str, Any], Pixels]:
        """As `Order`."""
        return {}, np.stack(result)

    def unpack(self, fields: Fields, raw: Raw) -> list[Pixels]:  # noqa: ARG002 (there are none)
        """As `Order`."""
        return list(raw.reshape(len(self.regions), 3, self.size, self.size))


@dataclass(frozen=True, slots=True)
class AudioOrder:
    """A sound as far as the model hears it; see `decode_audio`."""

    kind: ClassVar[str] = "audio"
    payload: Payload
    spec: AudioSpec
    max_seconds: float

    def run(self) -> DecodedAudio:
        """As `Order`."""
        return decode_audio(read_payload(self.payload), spec=self.spec, max_seconds=self.max_seconds)

    def fields(self) -> dict[str, Any]:
        """As `Order`."""
        return {"spec": asdict(self.spec), "max_seconds": self.max_seconds}

    def pack(self, result: DecodedAudio) -> tuple[dict[str, Any], npt.NDArray[np.float32]]:
        """As `Order`."""
        fields = {
            "seconds": result.seconds,
            "used_seconds": result.used_seconds,
            "sample_rate_hz": result.sample_rate_hz,
            "channels": result.channels,
        }
        return fields, result.waveform

    def unpack(self, fields: Fields, raw: Raw) -> DecodedAudio:
        """As `Order`."""
        return DecodedAudio(raw.view(np.float32), **fields)


@dataclass(frozen=True, slots=True)
class ClipOrder:
    """A whole sound, to be cut into windows; see `decode_clip`."""

    kind: ClassVar[str] = "clip"
    payload: Payload
    spec: AudioSpec
    windows: Windows
    max_seconds: float
    max_windows: int

    def run(self) -> Clip:
        """As `Order`."""
        data = read_payload(self.payload)
        return decode_clip(data, self.spec, self.windows, max_seconds=self.max_seconds, max_windows=self.max_windows)

    def fields(self) -> dict[str, Any]:
        """As `Order`."""
        return {
            "spec": asdict(self.spec),
            "windows": asdict(self.windows),
            "max_seconds": self.max_seconds,
            "max_windows": self.max_windows,
        }

    def pack(self, result: Clip) -> tuple[dict[str, Any], npt.NDArray[np.float32]]:
        """As `Order`."""
        return {"seconds": result.seconds, "sample_rate_hz": result.sample_rate_hz}, result.samples

    def unpack(self, fields: Fields, raw: Raw) -> Clip:
        """As `Order`."""
        return Clip(raw.view(np.float32), spec=self.spec, windows=self.windows, **fields)


@dataclass(frozen=True, slots=True)
class LengthOrder:
    """Seconds of a sound that is to be cut into windows, by its header; see `measure_clip`."""

    kind: ClassVar[str] = "length"
    payload: Payload
    windows: Windows
    max_seconds: float
    max_windows: int

    def run(self) -> float:
        """As `Order`."""
        data = read_payload(self.payload)
        return measure_clip(data, self.windows, max_seconds=self.max_seconds, max_windows=self.max_windows)

    def fields(self) -> dict[str, Any]:
        """As `Order`."""
        return {"windows": asdict(self.windows), "max_seconds": self.max_seconds, "max_windows": self.max_windows}

    def pack(self, result: float) -> tuple[dict[str, Any], Raw]:
        """As `Order`."""
        return {"seconds": result}, np.zeros(0, np.uint8)

    def unpack(self, fields: Fields, raw: Raw) -> float:  # noqa: ARG002 (there is none)
        """As `Order`."""
        return float(fields["seconds"])


_ORDERS: dict[str, Callable[..., Order[Any]]] = {
    order.kind: order for order in (ImageOrder, RegionsOrder, AudioOrder, ClipOrder, LengthOrder)
}


def build_order(kind: str, fields: Fields, payload: Payload) -> Order[Any]:
    """The order whose `fields` these are."""
    values = dict(fields)
    if "spec" in values:
        values["spec"] = AudioSpec(**values["spec"])
    if "windows" in values:
        values["windows"] = Windows(**values["windows"])
    if "regions" in values:
        values["regions"] = tuple(map(tuple, values["regions"]))
    return _ORDERS[kind](payload=payload, **values)
