"""One thing or shape on a background, with its caption."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from training.data.concepts import Concept, concept_table
from training.data.pictures.backgrounds import SIDE_PX, choose_palette, paint_background
from training.data.pictures.camera import photograph
from training.data.pictures.captions import write_caption
from training.data.pictures.clutter import scatter_marks
from training.data.pictures.stamp import Pose, forms_of, make_stamp
from training.data.pictures.variation import cuts
from training.data.splits import Split, example_generator

MAX_DEGREES = 25.0
PLAIN_HUE_DEGREES = 9.0
COLOURED_HUE_DEGREES = 3.0  # a colour must stay the colour that it is called
_SIZES = (0.45, 0.9)
_OUT_OF_PICTURE = 0.1  # the most of a side's length that may lie outside, in one picture of six


@dataclass(frozen=True)
class MadePicture:
    """`image` is RGB, 160 × 160; `text` a caption; `label` the thing's usual name; `colour` None when not tinted."""

    image: Image.Image
    text: str
    label: str
    colour: str | None


@dataclass(frozen=True, slots=True)
class Scenery:
    """Where backgrounds come from: a split's palettes, or training's wide stock of them."""

    split: Split
    wide: bool = False


def make_picture(seed: int, split: Split, number: int, *, wide: bool = False) -> MadePicture:
    """A thing (55 %), a tinted thing (30 %) or a coloured shape (15 %); things take turns by `number`.

    `wide` draws the background from training's wide stock of palettes.
    """
    table = concept_table()
    generator = example_generator(seed, split, "picture", number)
    kind, colours = generator.random(), tuple(table.colours)
    if kind < 0.55:
        concept, colour = table.things[number % len(table.things)], None
        return _compose(concept, colour, "picture", Scenery(split, wide), generator)
    colour = colours[int(generator.integers(len(colours)))]
    part = generator.random()
    caption = "coloured" if part < 0.6 else "colour" if part < 0.85 else "picture"
    if kind < 0.85:
        concept = table.things[number % len(table.things)]
    else:
        concept = table.shapes[int(generator.integers(len(table.shapes)))]
    return _compose(concept, colour, caption, Scenery(split, wide), generator)


def make_coloured_picture(seed: int, split: Split, number: int) -> MadePicture:
    """A tinted thing: numbers from 0 up to things × colours show each pair once, and then again.

    The caption gives colour and name (50 %), the name (35 %) or the colour (15 %). Training's backgrounds are of its
    wide stock.
    """
    table = concept_table()
    part = float(example_generator(seed, split, "coloured caption", number).random())
    caption = "coloured" if part < 0.5 else "picture" if part < 0.85 else "colour"
    generator = example_generator(seed, split, "coloured picture", number)
    colours = tuple(table.colours)
    turn, place = divmod(number % (len(table.things) * len(colours)), len(table.things))
    scenery = Scenery(split, wide=split == "train")
    return _compose(table.things[place], colours[turn], caption, scenery, generator)


def draw_pose(size_px: float, generator: np.random.Generator) -> Pose:
    """A random turn and side for a thing of this size."""
    return Pose(size_px, float(generator.uniform(-MAX_DEGREES, MAX_DEGREES)), bool(generator.random() < 0.5))


def _compose(
    concept: Concept, colour: str | None, caption: str, scenery: Scenery, generator: np.random.Generator
) -> MadePicture:
    rgb = None if colour is None else concept_table().colours[colour]
    split = scenery.split
    forms, own_cuts = forms_of(concept), cuts(split)
    form = forms[int(generator.integers(len(forms)))]
    cut = own_cuts[int(generator.integers(len(own_cuts)))]
    stamp = make_stamp(form, rgb, draw_pose(generator.uniform(*_SIZES) * SIDE_PX, generator), cut)
    palette = choose_palette([form.mean if rgb is None else rgb], split, generator, wide=scenery.wide)
    image = paint_background(palette, split, generator)
    scatter_marks(image, palette, split, generator)
    image.paste(stamp.image, _place(stamp.image.size, generator), stamp.image)
    image = photograph(image, PLAIN_HUE_DEGREES if colour is None else COLOURED_HUE_DEGREES, generator)
    return MadePicture(image, write_caption(caption, concept, colour, generator), concept.name, colour)


def _place(size: tuple[int, int], generator: np.random.Generator) -> tuple[int, int]:
    """Where a thing's top left corner goes; at times one side is a little out of the picture."""
    x, y = (int(generator.integers(0, max(SIDE_PX - length, 0) + 1)) for length in size)
    if generator.random() < 1 / 6:
        out = generator.uniform(0, _OUT_OF_PICTURE) * size[0]
        x = round(-out) if generator.random() < 0.5 else round(SIDE_PX - size[0] + out)
    return x, y
