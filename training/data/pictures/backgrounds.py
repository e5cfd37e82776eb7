"""Backgrounds: two colours mixed by a soft pattern, drawn small and enlarged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from colorsys import hls_to_rgb
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.pictures.variation import spread
from training.data.splits import Split, share

SIDE_PX = 160
_SMALL_PX = 40
_ENOUGH = 105.0  # difference between a thing's colour and its background, of 0 to 441

Floats = NDArray[np.float32]
Rgb = tuple[float, float, float]
_DOWN, _ACROSS = (axis.astype(np.float32) for axis in np.mgrid[0 : 1 : _SMALL_PX * 1j, 0 : 1 : _SMALL_PX * 1j])


@dataclass(frozen=True, slots=True)
class Palette:
    """The two colours of a background, sRGB 0 to 255."""

    first: Rgb
    second: Rgb


@dataclass(frozen=True, slots=True)
class Pattern:
    """`family` names the kind of pattern; `pitch` is its repeats per side, 2 to 6; `angle` is in radians."""

    family: str
    pitch: float
    angle: float


def _palette(row: int) -> Palette:
    hue = spread(row, 0, 0.0, 1.0)
    light = spread(row, 1, 0.62, 0.95) if row % 5 in (0, 2, 3) else spread(row, 1, 0.1, 0.38)
    other = light + spread(row, 3, 0.05, 0.16) * (-1 if light > 0.8 or 0.3 < light < 0.5 else 1)
    saturation = spread(row, 2, 0.03, 0.5)
    pair = ((hue, light), (hue + spread(row, 4, -0.12, 0.12), other))
    first, second = ((r * 255, g * 255, b * 255) for r, g, b in (hls_to_rgb(h % 1, v, saturation) for h, v in pair))
    return Palette(first, second)


def _wave(pattern: Pattern, generator: np.random.Generator, turn: float = 0.0) -> Floats:
    angle = pattern.angle + turn
    along = _ACROSS * np.float32(np.cos(angle)) + _DOWN * np.float32(np.sin(angle))
    wave: Floats = np.sin(along * np.float32(2 * np.pi * pattern.pitch) + np.float32(generator.uniform(0, 6.28)))
    return wave


def _plain(pattern: Pattern, generator: np.random.Generator) -> Floats:  # noqa: ARG001
    return np.full_like(_DOWN, generator.random())


def _gradient(pattern: Pattern, generator: np.random.Generator) -> Floats:
    along = (_ACROSS - 0.5) * np.cos(pattern.angle) + (_DOWN - 0.5) * np.sin(pattern.angle)
    slope: Floats = along * generator.uniform(0.6, 1.2) + 0.5
    return slope


def _glow(pattern: Pattern, generator: np.random.Generator) -> Floats:
    across, down = generator.uniform(0.2, 0.8, 2)
    distance: Floats = np.hypot(_ACROSS - across, _DOWN - down)
    return distance * pattern.pitch * 0.4


def _stripes(pattern: Pattern, generator: np.random.Generator) -> Floats:
    return _wave(pattern, generator) * 2.5 + 0.5


def _checks(pattern: Pattern, generator: np.random.Generator) -> Floats:
    return _wave(pattern, generator) * _wave(pattern, generator, np.pi / 2) * 4 + 0.5


def _clouds(pattern: Pattern, generator: np.random.Generator) -> Floats:
    return _noise(round(pattern.pitch) + 2, generator) * 0.7 + _noise(16, generator) * 0.3


def _blobs(pattern: Pattern, generator: np.random.Generator) -> Floats:
    return (_noise(round(pattern.pitch) + 2, generator) - 0.5) * 6 + 0.5


def _grid(pattern: Pattern, generator: np.random.Generator) -> Floats:
    lines: Floats = np.maximum(_wave(pattern, generator), _wave(pattern, generator, np.pi / 2))
    return (lines - 0.85) * 8


def _horizon(pattern: Pattern, generator: np.random.Generator) -> Floats:
    slope = 0.2 * np.sin(pattern.angle)
    below: Floats = _DOWN - generator.uniform(0.35, 0.75) + slope * (_ACROSS - 0.5)
    return below * 25 + 0.5


def _paper(pattern: Pattern, generator: np.random.Generator) -> Floats:
    return _noise(_SMALL_PX, generator) * 0.5 + _noise(round(pattern.pitch), generator) * 0.3


def _ripples(pattern: Pattern, generator: np.random.Generator) -> Floats:
    bent: Floats = _wave(pattern, generator) + _wave(pattern, generator, 1.9)
    return bent * 0.3 + 0.5


def _noise(cells: int, generator: np.random.Generator) -> Floats:
    """(40, 40), about 0 to 1, smooth between `cells` random values a side."""
    values = Image.fromarray(generator.random((cells, cells), np.float32))
    return np.asarray(values.resize((_SMALL_PX, _SMALL_PX), Image.Resampling.BICUBIC))


FAMILIES: dict[str, Callable[[Pattern, np.random.Generator], Floats]] = {
    "plain": _plain,
    "gradient": _gradient,
    "glow": _glow,
    "stripes": _stripes,
    "checks": _checks,
    "clouds": _clouds,
    "blobs": _blobs,
    "grid": _grid,
    "horizon": _horizon,
    "paper": _paper,
    "ripples": _ripples,
}


def _pattern(row: int) -> Pattern:
    # Eleven families and six places of a split have no common divisor: every split gets every family.
    return Pattern(tuple(FAMILIES)[row % len(FAMILIES)], spread(row, 5, 2.0, 6.0), spread(row, 6, 0.0, np.pi))


PALETTES = tuple(_palette(row) for row in range(90))
WIDE_PALETTES = share(tuple(_palette(row) for row in range(90, 1290)), "train")
PATTERNS = tuple(_pattern(row) for row in range(132))


@cache
def palettes(split: Split, wide: bool = False) -> tuple[Palette, ...]:
    """The split's own palettes.

    Training also has a `wide` stock of 800: with 60, each thing meets so few of them that they give it away.
    """
    return WIDE_PALETTES if wide else share(PALETTES, split)


@cache
def patterns(split: Split) -> tuple[Pattern, ...]:
    """The split's own patterns."""
    return share(PATTERNS, split)


def choose_palette(
    colours: Sequence[Rgb], split: Split, generator: np.random.Generator, *, wide: bool = False
) -> Palette:
    """A palette that differs from all the given colours (sRGB, 0 to 255), or one of the five that differ most."""
    differences = np.min([_differences(colour, split, wide) for colour in colours], axis=0)
    good = np.flatnonzero(differences >= _ENOUGH)
    if len(good) < 3:
        good = np.argsort(differences)[-5:]
    return palettes(split, wide)[int(good[generator.integers(len(good))])]


@cache
def _differences(colour: Rgb, split: Split, wide: bool) -> NDArray[np.float64]:
    """How far each palette is from this colour and its shaded parts: the least difference."""
    pairs = np.array([(palette.first, palette.second) for palette in palettes(split, wide)])[:, :, None]
    shades = np.array(colour) * np.array([[1.0], [0.6]])
    nearer: NDArray[np.float64] = np.linalg.norm(pairs - shades, axis=3).min(axis=(1, 2))
    return nearer


def paint_background(palette: Palette, split: Split, generator: np.random.Generator) -> Image.Image:
    """RGB, 160 × 160."""
    own = patterns(split)
    pattern = own[int(generator.integers(len(own)))]
    part = FAMILIES[pattern.family](pattern, generator).clip(0, 1)[..., None]
    first, second = np.array(palette.first, np.float32), np.array(palette.second, np.float32)
    small = Image.fromarray((first + (second - first) * part).astype(np.uint8))
    return small.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
