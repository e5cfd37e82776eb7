"""Phrases that are true for exactly one thing of a scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from training.data.concepts import Concept, concept_table
from training.data.pictures.captions import choose_name

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels

CLEAR_PX = 24.0  # how much further left (right, up, down) the middle of a thing must be to be called so
CLEAR_RATIO = 1.6  # how much larger a box must be to be called larger
_WEIGHTS = {"name": 0.42, "colour": 0.24, "position": 0.17, "size": 0.5}

_PLACES = {
    "left": ("the {} on the left", "the left {}", "the leftmost {}"),
    "right": ("the {} on the right", "the right {}", "the rightmost {}"),
    "top": ("the {} at the top", "the top {}", "the highest {}"),
    "bottom": ("the {} at the bottom", "the bottom {}", "the lowest {}"),
}
_SIZES = {
    "small": ("the smallest {}", "the small {}"),
    "large": ("the biggest {}", "the large {}", "the big {}"),
}


@dataclass(frozen=True, slots=True)
class PlacedThing:
    """`name` the usual name; `colour` None when not tinted; `box` tight around what is seen."""

    name: str
    colour: str | None
    box: Box


@dataclass(frozen=True, slots=True)
class Target:
    """A phrase and the box of the one thing that it is true for: left, top, right, bottom in pixels."""

    phrase: str
    box: Box


def choose_targets(things: tuple[PlacedThing, ...], generator: np.random.Generator) -> tuple[Target, ...]:
    """Up to four phrases, each of another thing; none when nothing can be named without doubt."""
    wanted = int(generator.integers(1, 5))
    targets: list[Target] = []
    for place in generator.permutation(len(things)).tolist():
        thing, others = things[place], tuple(thing for number, thing in enumerate(things) if number != place)
        phrase = _choose_phrase(thing, others, generator)
        if phrase is not None and len(targets) < wanted:
            targets.append(Target(phrase, thing.box))
    return tuple(targets)


def _choose_phrase(thing: PlacedThing, others: tuple[PlacedThing, ...], generator: np.random.Generator) -> str | None:
    ways = {kind: patterns for kind, way in _WAYS.items() if (patterns := way(thing, others))}
    if not ways:
        return None
    kinds = tuple(ways)
    weights = np.cumsum([_WEIGHTS[kind] for kind in kinds])
    kind = kinds[int(np.searchsorted(weights, generator.random() * weights[-1], side="right"))]
    patterns = ways[kind]
    pattern = patterns[int(generator.integers(len(patterns)))]
    # Not "the small big cat".
    return pattern.format(thing.name if kind == "size" else choose_name(_concept(thing.name), generator))


@cache
def _concept(name: str) -> Concept:
    table = concept_table()
    return next(concept for concept in (*table.things, *table.shapes) if concept.name == name)


def _by_name(thing: PlacedThing, others: tuple[PlacedThing, ...]) -> tuple[str, ...]:
    return () if any(other.name == thing.name for other in others) else ("the {}", "the {}", "{}")


def _by_colour(thing: PlacedThing, others: tuple[PlacedThing, ...]) -> tuple[str, ...]:
    """Things that are not tinted may look as if they were of any colour."""
    if thing.colour is None:
        return ()
    patterns: tuple[str, ...] = ()
    if not any(other.name == thing.name and other.colour in (None, thing.colour) for other in others):
        patterns += (f"the {thing.colour} {{}}", f"the {thing.colour} {{}}", f"{thing.colour} {{}}")
    if not any(other.colour in (None, thing.colour) for other in others):
        patterns += (f"the {thing.colour} one", f"the {thing.colour} thing")
    return patterns


def _by_position(thing: PlacedThing, others: tuple[PlacedThing, ...]) -> tuple[str, ...]:
    """Among several of its name, or now and then among all things."""
    alike = [other for other in others if other.name == thing.name]
    patterns = [pattern for place in _places(thing, alike) for pattern in _PLACES[place]] if alike else []
    patterns += [_PLACES[place][0].format("thing") for place in _places(thing, list(others))]
    return tuple(patterns)


def _places(thing: PlacedThing, others: list[PlacedThing]) -> list[str]:
    """On which sides of all the others this thing clearly is."""
    x, y = _middle(thing.box)
    middles = [_middle(other.box) for other in others]
    gaps = {
        "left": min(other_x - x for other_x, _ in middles),
        "right": min(x - other_x for other_x, _ in middles),
        "top": min(other_y - y for _, other_y in middles),
        "bottom": min(y - other_y for _, other_y in middles),
    }
    return [place for place, gap in gaps.items() if gap > CLEAR_PX]


def _by_size(thing: PlacedThing, others: tuple[PlacedThing, ...]) -> tuple[str, ...]:
    alike = [_area(other.box) for other in others if other.name == thing.name]
    if not alike:
        return ()
    if _area(thing.box) * CLEAR_RATIO <= min(alike):
        return _SIZES["small"]
    return _SIZES["large"] if _area(thing.box) >= CLEAR_RATIO * max(alike) else ()


_WAYS: dict[str, Callable[[PlacedThing, tuple[PlacedThing, ...]], tuple[str, ...]]] = {
    "name": _by_name,
    "colour": _by_colour,
    "position": _by_position,
    "size": _by_size,
}


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
