"""Sound + text → picture: a sound names the thing, a text its colour, and only one picture has both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.evaluation.dataset import Paired
from training.evaluation.metrics import share_within
from training.evaluation.model import EvaluatedModel, Vector
from training.evaluation.tasks.gallery_search import Found, Side, search
from training.evaluation.tasks.gathering import embed_texts
from training.evaluation.tasks.labelled_vectors import LabelledVectors, embed_labelled
from training.evaluation.tasks.result import Result, Shown, TaskOptions, require_items

THINGS = 12
"""Things in one gallery, each in every colour."""


@dataclass(frozen=True, slots=True)
class _Materials:
    pictures: LabelledVectors
    sounds: LabelledVectors
    colours: list[str]
    colour_vectors: Vector
    things: list[str]


def run(model: EvaluatedModel, data: Paired, options: TaskOptions) -> Result:
    """R@1 of the fused query, and of each part alone, meant over random galleries.

    A gallery has `THINGS` random things in every colour, each picture once; each is asked for once. The query is the
    normalised weighted sum of the two vectors. Alone, a sound leaves the colour open and a colour the thing, so even a
    perfect model finds at most one in as many as there are colours, or things.

    Raises:
        DataError: no thing is there in every colour and as a sound.
        ModelError: the model can't be asked.
    """
    materials = _prepare(model, data)
    random = np.random.default_rng(options.seed)
    fused, heard, read = zip(
        *(_search_gallery(materials, options.sound_weight, random) for _ in range(options.galleries)), strict=True
    )
    size = min(THINGS, len(materials.things)) * len(materials.colours)
    return Result(
        title=f"sound + text → picture, galleries of {size}",
        count=size * options.galleries,
        metrics={
            "sound + text R@1": _first(fused),
            "sound alone R@1": _first(heard),
            "text alone R@1": _first(read),
        },
        missing=data.missing,
        refused=materials.pictures.refused + materials.sounds.refused,
        details={
            "galleries": options.galleries,
            "seed": options.seed,
            "gallery_size": size,
            "sound_weight": options.sound_weight,
            "things": len(materials.things),
            "colours": materials.colours,
        },
        rankings=fused[0].rankings,
    )


def _prepare(model: EvaluatedModel, data: Paired) -> _Materials:
    """Embed what can take part: things that are heard and that are seen in every colour."""
    labels = {item.label for item in data.pictures}
    colours = sorted({label.partition(" ")[0] for label in labels})
    heard = {item.label for item in data.sounds}
    things = {thing for thing in heard if all(f"{colour} {thing}" in labels for colour in colours)}
    require_items(sorted(things), "things that are heard and seen in every colour")
    wanted = {f"{colour} {thing}" for colour in colours for thing in things}
    pictures = embed_labelled(model, "image", [item for item in data.pictures if item.label in wanted])
    sounds = embed_labelled(model, "audio", [item for item in data.sounds if item.label in things])
    usable = [
        thing
        for thing in sorted(things & set(sounds.numbers))
        if all(f"{colour} {thing}" in pictures.numbers for colour in colours)
    ]
    require_items(usable, "things that are heard and seen in every colour")
    return _Materials(pictures, sounds, colours, embed_texts(model, colours, "colours"), usable)


def _search_gallery(
    materials: _Materials, sound_weight: float, random: np.random.Generator
) -> tuple[Found, Found, Found]:
    """One gallery, searched by both parts together, by the sounds alone, by the texts alone."""
    size = min(THINGS, len(materials.things))
    things = [materials.things[number] for number in random.permutation(len(materials.things))[:size]]
    pairs = [(colour, thing) for thing in things for colour in range(len(materials.colours))]
    wanted = [pairs[number] for number in random.permutation(len(pairs))]  # so that examples differ in both
    labels = [f"{materials.colours[colour]} {thing}" for colour, thing in wanted]
    gallery = materials.pictures.side(materials.pictures.pick(labels, random))
    sounds = materials.sounds.side(materials.sounds.pick([thing for _, thing in wanted], random))
    texts = Side(
        materials.colour_vectors[[colour for colour, _ in wanted]],
        [(Shown("text", materials.colours[colour]),) for colour, _ in wanted],
    )
    both = Side(
        fuse(sounds.vectors, texts.vectors, sound_weight),
        [sound + text for sound, text in zip(sounds.shown, texts.shown, strict=True)],
    )
    relevant = [[number] for number in range(len(wanted))]
    return search(both, gallery, relevant), search(sounds, gallery, relevant), search(texts, gallery, relevant)


def fuse(sounds: Vector, texts: Vector, sound_weight: float) -> Vector:
    """`sound_weight` · sound + text, L2-normalised row by row: float32 [N, D], as the server fuses parts.

    As there, the larger weight is scaled to 1 first, so that none overflows.
    """
    largest = max(sound_weight, 1.0)
    sums = sound_weight / largest * sounds.astype(np.float64) + texts.astype(np.float64) / largest
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), dtype=np.float32)


def _first(found: tuple[Found, ...]) -> float:
    return share_within(np.concatenate([one.places for one in found]), 1)
