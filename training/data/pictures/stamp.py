"""A thing posed and coloured, ready to be put on a background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil, cos, radians, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from training.data.concepts import Concept
from training.data.pictures.glyphs import Form, glyph_form
from training.data.pictures.shapes import shape_form
from training.data.pictures.variation import Cut

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Pose:
    """`size_px` is the longer side of the box around the thing; `degrees` turn it."""

    size_px: float
    degrees: float
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Stamp:
    """`image` RGBA; `opaque` mode "1", set where the thing is; both cropped to the box around what is opaque."""

    image: Image.Image
    opaque: Image.Image


def forms_of(concept: Concept) -> tuple[Form, ...]:
    """All forms of a thing or shape."""
    if not concept.glyphs:
        return (shape_form(concept.name),)
    return tuple(glyph_form(glyph) for glyph in concept.glyphs)


def make_stamp(form: Form, colour: Colour | None, pose: Pose, cut: Cut) -> Stamp:
    """Pose a form; with a colour, tint it in that colour and keep its shading."""
    factor, size, coefficients = _mapping(form, pose, cut)
    levels = form.levels if colour is None else form.tones
    level = 0 if factor > 0.5 else 1 if factor > 0.25 else 2
    source = levels[level]
    part = source.width / form.levels[0].width
    scaled = tuple(value * part for value in coefficients)
    posed = source.transform(size, Image.Transform.AFFINE, scaled, Image.Resampling.BILINEAR)
    if colour is None:
        body = posed.convert("RGBA")
        body = ImageChops.multiply(body, Image.new("RGBA", size, (*cut.tint, 255)))
    else:
        tone, alpha = posed.convert("LA").split()
        tone.putpalette(_palette(colour))
        body = tone.convert("RGBA")
        body.putalpha(alpha)
    if cut.outline_px:
        body = _outlined(body, cut)
    opaque = body.getchannel("A").convert("1", dither=Image.Dither.NONE)  # white from 128 on
    box = opaque.getbbox()
    return Stamp(body.crop(box), opaque.crop(box))


def _mapping(form: Form, pose: Pose, cut: Cut) -> tuple[float, tuple[int, int], tuple[float, ...]]:
    """Scale against the full size, the posed size in pixels, and the affine map from it back to full-size pixels."""
    cosine, sine = cos(radians(pose.degrees)), sin(radians(pose.degrees))
    wide, shear, high = (-1 if pose.mirrored else 1) * cut.stretch**0.5, cut.shear, cut.stretch**-0.5
    # A turn after a stretch and shear: [[cosine, -sine], [sine, cosine]] @ [[wide, shear], [0, high]].
    matrix = np.array(
        [[cosine * wide, cosine * shear - sine * high], [sine * wide, sine * shear + cosine * high]], np.float32
    )
    reach = form.hull @ matrix.T
    (left, top), (right, bottom) = reach.min(axis=0).tolist(), reach.max(axis=0).tolist()
    scale = (pose.size_px - 2 * cut.outline_px) / max(right - left, bottom - top)
    margin = 2 + cut.outline_px
    width, height = (ceil(extent * scale) + 2 * margin for extent in (right - left, bottom - top))
    (a, b), (c, d) = matrix.tolist()
    part = 1 / ((a * d - b * c) * scale)
    x, y = left * scale - margin, top * scale - margin
    middle_x, middle_y = form.levels[0].width / 2, form.levels[0].height / 2
    across = (d * part, -b * part, middle_x + part * (d * x - b * y))
    down = (-c * part, a * part, middle_y + part * (a * y - c * x))
    return scale, (width, height), (*across, *down)


def _outlined(body: Image.Image, cut: Cut) -> Image.Image:
    """The body with a line around it, `outline_px` wide."""
    alpha = body.getchannel("A")
    around = alpha
    for across in (-cut.outline_px, 0, cut.outline_px):
        for down in (-cut.outline_px, 0, cut.outline_px):
            if across or down:
                around = ImageChops.lighter(around, ImageChops.offset(alpha, across, down))
    line = Image.new("RGBA", body.size, cut.outline)
    line.putalpha(around)
    line.alpha_composite(body)
    return line


@cache
def _palette(colour: Colour) -> bytes:
    """Red, green and blue at each of 256 brightnesses: darker parts dark, the brightest whitish."""
    tone = np.linspace(0, 1, 256)[:, None]
    body = np.array(colour) * (0.45 + 0.55 * tone / 0.7).clip(0, 1)
    shine = 0.45 * ((tone - 0.86) / 0.14).clip(0, 1)
    shining: NDArray[np.float64] = body + (255 - body) * shine
    return shining.round().astype(np.uint8).tobytes()
