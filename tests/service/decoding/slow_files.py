"""Files within the limits that take a decoder a while: a second of processor time or so."""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image

from tests.service.media_files import encode_clip

SIDE = 7_000


@functools.cache
def slow_picture() -> bytes:
    """49 million pixels, black, in a few kilobytes."""
    buffer = io.BytesIO()
    Image.new("1", (SIDE, SIDE)).save(buffer, "PNG")
    return buffer.getvalue()


@functools.cache
def long_sound() -> bytes:
    """600 s of silence at 48 kHz."""
    return encode_clip(np.zeros(600 * 48_000, np.int16), 48_000, "FLAC")
