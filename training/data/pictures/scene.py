"""Several things on one background, with phrases that each name one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.concepts import concept_table
from training.data.pictures.backgrounds import SIDE_PX, choose_palette, paint_background
from training.data.pictures.camera import photograph
from training.data.pictures.cast import Role, choose_cast
from training.data.pictures.clutter import scatter_marks
from training.data.pictures.phrases import Box, PlacedThing, Target, choose_targets
from training.data.pictures.picture import COLOURED_HUE_DEGREES, draw_pose
from training.data.pictures.stamp import Stamp, make_stamp
from training.data.pictures.variation import cuts
from training.data.splits import Split, example_generator

# Largest longer side of a thing, of the picture's side, by how many things there are; the smallest is 0.22.
_LARGEST = {2: 0.5, 3: 0.48, 4: 0.42, 5: 0.36}
_SMALLEST = 0.22
_COMMON = 0.01  # the most of the smaller of two boxes that they may share
_OUT_PX = 1  # how far a box may lie outside the picture
_TRIES = 30
_ATTEMPTS = 50


@dataclass(frozen=True)
class MadeScene:
    """`image` is RGB, 160 × 160; `targets` 1 to 4 of the 2 to 5 `things`, each with its phrase."""

    image: Image.Image
    targets: tuple[Target, ...]
    things: tuple[PlacedThing, ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """A stamp and its top left corner in the picture, in pixels; later ones lie on top."""

    role: Role
    stamp: Stamp
    x: int
    y: int


def make_scene(seed: int, split: Split, number: int) -> MadeScene:
    """A scene of 2 to 5 things; in about 45 % of the scenes one of them comes several times.

    Training's backgrounds are of its wide stock.

    Raises:
        RuntimeError: no arrangement with a clear phrase was found, which fifty tries make all but impossible.
    """
    generator = example_generator(seed, split, "scene", number)
    for _ in range(_ATTEMPTS):
        placements = arrange(choose_cast(number, generator), split, generator)
        things = tuple(
            PlacedThing(placement.role.concept.name, placement.role.colour, box)
            for placement, box in zip(placements, visible_boxes(placements), strict=True)
        )
        targets = choose_targets(things, generator) if len(things) > 1 else ()
        if targets:
            return MadeScene(_paint(placements, split, generator), targets, things)
    raise RuntimeError(f"no scene number {number} of {split} could be arranged")


def arrange(cast: tuple[Role, ...], split: Split, generator: np.random.Generator) -> tuple[Placement, ...]:
    """Find each of the cast a free place; those that find none are left out."""
    table, own_cuts = concept_table(), cuts(split)
    placements: list[Placement] = []
    boxes = np.empty((0, 4))
    for role in cast:
        # Small and large come more often than middling, so that some are clearly the smallest or the largest.
        part = 0.5 - 0.5 * np.cos(np.pi * generator.random())
        size = float(_SMALLEST + part * (_LARGEST[len(cast)] - _SMALLEST)) * SIDE_PX
        cut = own_cuts[int(generator.integers(len(own_cuts)))]
        colour = None if role.colour is None else table.colours[role.colour]
        stamp = make_stamp(role.form, colour, draw_pose(size, generator), cut)
        corner = _free_corner(stamp.image.size, boxes, generator)
        if corner is not None:
            placements.append(Placement(role, stamp, *corner))
            boxes = np.vstack([boxes, (*corner, corner[0] + stamp.image.width, corner[1] + stamp.image.height)])
    return tuple(placements)


def _free_corner(
    size: tuple[int, int], boxes: NDArray[np.float64], generator: np.random.Generator
) -> tuple[int, int] | None:
    """A random top left corner where a box of this size meets the others hardly or not."""
    last = SIDE_PX + _OUT_PX - np.array(size)
    corners = generator.integers(-_OUT_PX, last + 1, (_TRIES, 2))
    low = np.maximum(corners[:, None], boxes[:, :2])
    high = np.minimum(corners[:, None] + size, boxes[:, 2:])
    common = (high - low).clip(0)
    lengths = boxes[:, 2:] - boxes[:, :2]
    smaller = np.minimum(lengths[:, 0] * lengths[:, 1], size[0] * size[1])
    free = np.flatnonzero((common[..., 0] * common[..., 1] <= _COMMON * smaller).all(axis=1))
    return (int(corners[free[0], 0]), int(corners[free[0], 1])) if len(free) else None


def visible_boxes(placements: tuple[Placement, ...]) -> tuple[Box, ...]:
    """For each placement the tight box of its pixels that are in the picture and under no later thing."""
    owners = Image.new("L", (SIDE_PX, SIDE_PX))
    for number, placement in enumerate(placements, start=1):
        owners.paste(number, (placement.x, placement.y), placement.stamp.opaque)
    owner = np.asarray(owners)
    boxes = []
    for number in range(1, len(placements) + 1):
        seen = owner == number
        columns, rows = np.flatnonzero(seen.any(axis=0)), np.flatnonzero(seen.any(axis=1))
        boxes.append((float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)))
    return tuple(boxes)


def _paint(placements: tuple[Placement, ...], split: Split, generator: np.random.Generator) -> Image.Image:
    table = concept_table()
    colours = [
        placement.role.form.mean if placement.role.colour is None else table.colours[placement.role.colour]
        for placement in placements
    ]
    palette = choose_palette(colours, split, generator, wide=split == "train")
    image = paint_background(palette, split, generator)
    scatter_marks(image, palette, split, generator)
    for placement in placements:
        image.paste(placement.stamp.image, (placement.x, placement.y), placement.stamp.image)
    return photograph(image, COLOURED_HUE_DEGREES, generator)
