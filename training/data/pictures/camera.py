"""What happens to a finished picture: colour shift, blur, noise and JPEG."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, ImageChops, ImageFilter

_LUMA = np.array([0.299, 0.587, 0.114])
JPEG_QUALITIES = (55, 95)
_NOISE_LEVELS = (1, 4, 8, 16)  # powers of two: how many values of noise there are


def photograph(image: Image.Image, max_hue_degrees: float, generator: np.random.Generator) -> Image.Image:
    """The picture with small changes of brightness, contrast, saturation and hue, some blur and noise."""
    shifted = image.convert("RGB", _shift(max_hue_degrees, generator))
    sigma = generator.uniform(-0.6, 0.8)
    if sigma > 0.2:
        shifted = shifted.filter(_blur(sigma))
    levels = _NOISE_LEVELS[int(generator.integers(len(_NOISE_LEVELS)))]
    if levels == 1:
        return shifted
    noise = np.frombuffer(generator.bytes(3 * shifted.width * shifted.height), np.uint8) & np.uint8(levels - 1)
    noise_image = Image.fromarray(noise.reshape(shifted.height, shifted.width, 3))
    return ImageChops.add(shifted, noise_image, offset=-levels // 2)


def _blur(sigma: float) -> ImageFilter.Kernel:
    """A Gaussian cut to 3 × 3, enough for a sigma below 0.8 px and faster than Pillow's own."""
    near = float(np.exp(-0.5 / sigma**2))
    corner = near * near
    return ImageFilter.Kernel((3, 3), (corner, near, corner, near, 1.0, near, corner, near, corner))


def _shift(max_hue_degrees: float, generator: np.random.Generator) -> tuple[float, ...]:
    """The 3 × 4 matrix of one random colour shift."""
    brightness = generator.uniform(-10, 14)
    contrast = generator.uniform(0.85, 1.15)
    saturation = generator.uniform(0.85, 1.2)
    hue = np.radians(generator.uniform(-max_hue_degrees, max_hue_degrees))
    grey = np.tile(_LUMA, (3, 1))
    chroma = np.eye(3) - grey
    # A turn about the grey axis (1, 1, 1), by Rodrigues' formula.
    across = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    turn = np.cos(hue) * np.eye(3) + (1 - np.cos(hue)) / 3 + np.sin(hue) * across
    matrix = contrast * (grey + saturation * turn @ chroma)
    offset = brightness + 128 * (1 - contrast)
    return tuple(float(value) for row in matrix for value in (*row, offset))


def encode_jpeg(image: Image.Image, generator: np.random.Generator) -> bytes:
    """The picture as JPEG, its quality drawn from 55 to 95."""
    low, high = JPEG_QUALITIES
    file = BytesIO()
    image.save(file, "JPEG", quality=int(generator.integers(low, high + 1)))
    return file.getvalue()
