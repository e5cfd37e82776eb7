"""Forms of things: emoji of Noto Color Emoji, each rendered once and kept at three sizes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FONT_NAME = "NotoColorEmoji.ttf"
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/Library/Fonts")
STRIKE_SIZE = 109  # the only size of the font's bitmaps
OPAQUE = 128  # alpha from which a pixel counts as the thing's
_CANVAS_PX = 160
_BORDER_PX = 4


class FontMissingError(Exception):
    """Noto Color Emoji is not installed."""


@dataclass(frozen=True, slots=True)
class Form:
    """How one thing looks, before it is posed.

    Attributes:
        levels: RGBa (premultiplied) at full, half and quarter size.
        tones: the same as La: brightness spread over 0 to 255, for tinting.
        hull: (48, 2) float32, the outermost opaque points as x, y in full-size pixels from the middle.
        mean: sRGB mean of the opaque pixels.
    """

    levels: tuple[Image.Image, ...]
    tones: tuple[Image.Image, ...]
    hull: NDArray[np.float32]
    mean: tuple[float, float, float]


@cache
def font_file() -> Path:
    """Where Noto Color Emoji is installed.

    Raises:
        FontMissingError: it is in none of the usual font folders.
    """
    for folder in FONT_FOLDERS:
        for root, _, files in os.walk(Path(folder).expanduser()):
            if FONT_NAME in files:
                return Path(root) / FONT_NAME
    raise FontMissingError(
        f"{FONT_NAME} is in none of {', '.join(FONT_FOLDERS)}; install the Debian package fonts-noto-color-emoji"
    )


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_file(), STRIKE_SIZE)


@cache
def glyph_form(glyph: str) -> Form:
    """The form of one emoji.

    Raises:
        FontMissingError: the font is not installed.
        ValueError: the font does not show this character.
    """
    canvas = Image.new("RGBA", (_CANVAS_PX, _CANVAS_PX))
    ImageDraw.Draw(canvas).text((8, 8), glyph, font=_font(), embedded_color=True)
    return form_of(canvas, glyph)


def form_of(drawing: Image.Image, name: str) -> Form:
    """The form of an RGBA drawing, cropped to what is opaque.

    Raises:
        ValueError: nothing in the drawing is opaque.
    """
    box = drawing.getchannel("A").getbbox()
    if box is None:
        raise ValueError(f"nothing is drawn for {name!r}")
    width, height = (4 * -(-(high - low + 2 * _BORDER_PX) // 4) for low, high in (box[::2], box[1::2]))
    whole = Image.new("RGBA", (width, height))
    whole.paste(drawing.crop(box), (_BORDER_PX, _BORDER_PX))
    pixels = np.asarray(whole)
    opaque = pixels[..., 3] >= OPAQUE
    if not opaque.any():
        raise ValueError(f"nothing is opaque in {name!r}")
    mean = pixels[opaque][:, :3].mean(axis=0)
    return Form(
        levels=_levels(whole, "RGBa"),
        tones=_levels(_tone(whole, opaque), "La"),
        hull=_hull(opaque),
        mean=(float(mean[0]), float(mean[1]), float(mean[2])),
    )


def _levels(whole: Image.Image, mode: str) -> tuple[Image.Image, ...]:
    premultiplied = whole.convert(mode)
    width, height = whole.size
    smaller = (
        premultiplied.resize((width // part, height // part), Image.Resampling.BOX, reducing_gap=None)
        for part in (2, 4)
    )
    return (premultiplied, *smaller)


def _tone(whole: Image.Image, opaque: NDArray[np.bool_]) -> Image.Image:
    """LA: brightness with the darkest parts at 0.05, the median at 0.6, the light parts at 0.85; flat stays flat."""
    grey = np.asarray(whole.convert("RGB").convert("L"), np.float32)
    low, median, high = np.percentile(grey[opaque], (5, 50, 95))
    known = (min(low, median - 60.0), median, max(high, median + 25.0), max(high, median + 25.0) + 20.0)
    tone = np.interp(grey, known, (0.05, 0.6, 0.85, 1.0))
    tone_image = Image.fromarray((tone * 255).astype(np.uint8))
    return Image.merge("LA", (tone_image, whole.getchannel("A")))


def _hull(opaque: NDArray[np.bool_]) -> NDArray[np.float32]:
    rows, columns = np.nonzero(opaque)
    points = np.stack([columns + 0.5, rows + 0.5], axis=1) - np.array(opaque.shape[::-1]) / 2
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    furthest = (points @ np.stack([np.cos(angles), np.sin(angles)])).argmax(axis=0)
    hull: NDArray[np.float32] = points[furthest].astype(np.float32)
    return hull
