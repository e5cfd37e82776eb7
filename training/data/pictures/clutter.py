"""Faint small marks behind the things; none of them is a thing or shape of the table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from training.data.pictures.backgrounds import SIDE_PX, Palette
from training.data.pictures.variation import spread
from training.data.splits import Split, share


@dataclass(frozen=True, slots=True)
class Mark:
    """`width_px` of its strokes, 1 to 3; `light` is added to the background's colour, -45 to 45."""

    kind: str
    width_px: int
    light: int


KINDS = ("stroke", "dots", "arc", "zigzag", "hatching", "speck", "hook")


def _mark(row: int) -> Mark:
    strength = int(spread(row, 0, 18, 45))
    return Mark(KINDS[row % len(KINDS)], 1 + row % 3, strength if row % 4 < 2 else -strength)


MARKS = tuple(_mark(row) for row in range(42))


@cache
def marks(split: Split) -> tuple[Mark, ...]:
    """The split's own marks."""
    return share(MARKS, split)


def scatter_marks(image: Image.Image, palette: Palette, split: Split, generator: np.random.Generator) -> None:
    """Draw 0 to 3 marks, each 8 to 18 % of the side, into the image."""
    draw = ImageDraw.Draw(image)
    own = marks(split)
    for _ in range(int(generator.integers(4))):
        mark = own[int(generator.integers(len(own)))]
        size = generator.uniform(0.08, 0.18) * SIDE_PX
        x, y = generator.uniform(0, SIDE_PX - size, 2)
        base = palette.first if generator.random() < 0.5 else palette.second
        red, green, blue = (int(min(max(channel + mark.light, 0), 255)) for channel in base)
        _draw_mark(draw, mark, (x, y, size), (red, green, blue), float(generator.uniform(0, 360)))


def _draw_mark(
    draw: ImageDraw.ImageDraw,
    mark: Mark,
    place: tuple[float, float, float],
    fill: tuple[int, int, int],
    turn: float,
) -> None:
    """Draw one mark at `place`: x, y and size in pixels; `turn` in degrees."""
    x, y, size = place
    half = size / 2
    tilt = np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))]) * half
    side = np.array([-tilt[1], tilt[0]])
    middle = np.array([x + half, y + half])
    if mark.kind == "arc":
        draw.arc((x, y, x + size, y + size), turn, turn + 130, fill, mark.width_px)
    elif mark.kind == "speck":
        draw.ellipse((x, y, x + size * 0.3, y + size * 0.2), fill)
    elif mark.kind == "dots":
        for part in (-1, -0.2, 0.6):
            dot_x, dot_y = middle + part * tilt
            draw.ellipse((dot_x, dot_y, dot_x + mark.width_px + 1, dot_y + mark.width_px + 1), fill)
    elif mark.kind == "hatching":
        for part in (-0.6, 0, 0.6):
            ends = (*(middle - tilt + part * side), *(middle + tilt + part * side))
            draw.line(ends, fill, mark.width_px)
    else:
        corners = {"stroke": ((-1, 0), (1, 0)), "hook": ((-1, 0.5), (0.8, 0.5), (0.8, -0.4))}.get(
            mark.kind, ((-1, 0.3), (-0.4, -0.3), (0.2, 0.3), (0.8, -0.3))
        )
        points = [tuple((middle + along * tilt + across * side).tolist()) for along, across in corners]
        draw.line(points, fill, mark.width_px)
