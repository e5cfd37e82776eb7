"""Arrays and PIL pictures as files, without loss: PNG and float32 WAV."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
PNG_LEVEL = 1  # the fastest: a network carries the few bytes more sooner than zlib finds them
WAVE_FORMAT_PCM, WAVE_FORMAT_IEEE_FLOAT = 1, 3


def is_pil_image(value: object) -> bool:
    """Whether `value` is a PIL picture, without importing PIL for those who don't use it."""
    return any(base.__module__ == "PIL.Image" and base.__name__ == "Image" for base in type(value).__mro__)


def check_pixels(pixels: NDArray[Any]) -> None:
    """Refuse what is no picture.

    Raises:
        TypeError, ValueError: not uint8 of the shape [H, W, 3] or [H, W].
    """
    if pixels.dtype != np.uint8:
        raise TypeError(
            f"a picture array must be uint8 [H, W, 3] or [H, W], not {pixels.dtype}; "
            "a sound is Audio(array, sample_rate_hz), a vector Vector(array)"
        )
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)) or 0 in pixels.shape:
        raise ValueError(f"a picture array must be uint8 [H, W, 3] or [H, W], not {list(pixels.shape)}")


def check_samples(samples: NDArray[Any], sample_rate_hz: int | None) -> None:
    """Refuse what is no sound.

    Raises:
        TypeError, ValueError: not floats or int16 of the shape [T] or [T, C], not finite, or without a sample rate.
    """
    if not np.issubdtype(samples.dtype, np.floating) and samples.dtype != np.int16:
        raise TypeError(f"a sound array must be float (or int16) [T] or [T, C], not {samples.dtype}")
    if samples.ndim not in (1, 2) or 0 in samples.shape:
        raise ValueError(f"a sound array must have the shape [T] or [T, C], not {list(samples.shape)}")
    if sample_rate_hz is None or sample_rate_hz < 1:
        raise ValueError("a sound array needs sample_rate_hz, a positive number")
    if samples.ndim == 2 and samples.shape[1] > samples.shape[0]:
        raise ValueError(f"a sound array of shape {list(samples.shape)} has more channels than samples: pass [T, C]")
    if samples.dtype != np.int16 and not np.isfinite(samples).all():
        raise ValueError("a sound array must be finite")


def picture_file(pixels: NDArray[Any]) -> bytes:
    """PNG of uint8 [H, W, 3] or [H, W]."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("picture arrays need Pillow: pip install 'onepeace-client[images]'") from error
    return pil_file(Image.fromarray(pixels))


def pil_file(image: Image.Image) -> bytes:
    """PNG of a PIL picture, with its EXIF, for the orientation stands there."""
    drawn = image if image.mode in PNG_MODES else image.convert("RGB")
    out = io.BytesIO()
    drawn.save(out, "PNG", compress_level=PNG_LEVEL, exif=image.getexif())
    return out.getvalue()


def sound_file(samples: NDArray[Any], sample_rate_hz: int) -> bytes:
    """WAV of [T] or [T, C]: int16 stays, floats become float32 (RIFF WAVE; float needs a `fact` chunk)."""
    code = WAVE_FORMAT_PCM if samples.dtype == np.int16 else WAVE_FORMAT_IEEE_FLOAT
    data = samples.astype("<i2" if code == WAVE_FORMAT_PCM else "<f4", copy=False).tobytes()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    width = 2 if code == WAVE_FORMAT_PCM else 4
    rate = sample_rate_hz
    form = struct.pack("<HHIIHH", code, channels, rate, rate * channels * width, channels * width, 8 * width)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    if code == WAVE_FORMAT_IEEE_FLOAT:
        chunks += b"fact" + struct.pack("<II", 4, len(samples))
    chunks += b"data" + struct.pack("<I", len(data))
    padding = b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks) + len(data) + len(padding)) + b"WAVE" + chunks + data + padding
