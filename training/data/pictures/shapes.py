"""Forms of the drawn shapes: light grey drawings, always tinted when they are used."""

from __future__ import annotations

from functools import cache
from math import cos, pi, sin

from PIL import Image, ImageDraw

from training.data.pictures.glyphs import Form, form_of

_DRAWN_PX = 512
_FORM_PX = 136
_FILL = (200, 200, 200, 255)


@cache
def shape_form(name: str) -> Form:
    """The form of one of the table's shapes.

    Raises:
        ValueError: there is no drawing of that name.
    """
    canvas = Image.new("RGBA", (_DRAWN_PX, _DRAWN_PX))
    draw = ImageDraw.Draw(canvas)
    full = (16, 16, 496, 496)
    if name == "circle":
        draw.ellipse(full, fill=_FILL)
    elif name == "ring":
        draw.ellipse(full, outline=_FILL, width=90)
    elif name == "square":
        draw.rectangle((32, 32, 480, 480), fill=_FILL)
    elif name == "triangle":
        draw.polygon(_corners(3, 240, 240), fill=_FILL)
    elif name == "star":
        draw.polygon(_corners(10, 240, 100), fill=_FILL)
    elif name == "cross":
        draw.rectangle((186, 16, 326, 496), fill=_FILL)
        draw.rectangle((16, 186, 496, 326), fill=_FILL)
    else:
        raise ValueError(f"no drawing of the shape {name!r}")
    return form_of(canvas.resize((_FORM_PX, _FORM_PX), Image.Resampling.LANCZOS), name)


def _corners(count: int, even_px: float, odd_px: float) -> list[tuple[float, float]]:
    """Corners around the middle, the first at the top, every second one `odd_px` from it."""
    distances = [odd_px if number % 2 else even_px for number in range(count)]
    angles = [2 * pi * number / count - pi / 2 for number in range(count)]
    return [(256 + d * cos(a), 256 + d * sin(a)) for d, a in zip(distances, angles, strict=True)]
