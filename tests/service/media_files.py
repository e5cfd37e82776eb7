"""Pictures and clips that tests make themselves."""

from __future__ import annotations

import base64
import io

import numpy as np
import soundfile
from PIL import Image


def picture(seed: int = 0, size: tuple[int, int] = (96, 64), form: str = "PNG") -> bytes:
    """A smooth random picture."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    coarse.resize(size, Image.Resampling.BICUBIC).save(buffer, form)
    return buffer.getvalue()


def clip(seed: int = 0, seconds: float = 1.5, rate: int = 16_000, form: str = "WAV", channels: int = 1) -> bytes:
    """A tone with noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    samples = 0.4 * np.sin(2 * np.pi * (200 + 50 * (seed % 20)) * time)[:, None] + rng.normal(
        0, 0.02, (len(time), channels)
    )
    return encode_clip(samples, rate, form)


def encode_clip(samples: np.ndarray, rate: int = 16_000, form: str = "WAV", subtype: str | None = None) -> bytes:
    """Samples as a sound file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form, subtype=subtype)
    return buffer.getvalue()


def encoded(data: bytes) -> str:
    """For JSON."""
    return base64.b64encode(data).decode()
