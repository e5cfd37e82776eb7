"""Who appears in a scene."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from training.data.concepts import Concept, concept_table
from training.data.pictures.glyphs import Form
from training.data.pictures.stamp import forms_of

_REPEATED = 0.5  # of the scenes have a thing several times; some lose a copy that finds no place
_TINTED = 0.4
_SHAPES = 0.2
_ALL_COLOURED = 0.2


@dataclass(frozen=True, slots=True)
class Role:
    """A thing or shape that is to appear, in a colour or (None) as it is."""

    concept: Concept
    colour: str | None
    form: Form


def choose_cast(number: int, generator: np.random.Generator) -> tuple[Role, ...]:
    """2 to 5 roles; the first thing follows from the scene's number, so that all come equally often."""
    table = concept_table()
    count = int(generator.integers(2, 6))
    coloured = bool(generator.random() < _ALL_COLOURED)
    concepts = _choose_concepts(number, count, generator)
    first = concepts[0]
    copies = int(generator.integers(2, min(count, 3) + 1)) if generator.random() < _REPEATED else 1
    if first.name in table.uncountable or first.name in table.plural:
        copies = 1
    cast = _copies(first, copies, coloured, generator)
    for concept in concepts[1 : count - copies + 1]:
        cast += _copies(concept, 1, coloured, generator)
    return tuple(cast)


def _choose_concepts(number: int, count: int, generator: np.random.Generator) -> list[Concept]:
    """Different concepts, no two of which could be called by each other's name."""
    table = concept_table()
    concepts = [table.things[number % len(table.things)]]
    if generator.random() < _SHAPES:
        concepts = [table.shapes[int(generator.integers(len(table.shapes)))]]
    while len(concepts) < count:
        pool = table.shapes if generator.random() < _SHAPES else table.things
        concept = pool[int(generator.integers(len(pool)))]
        if not any(_last_words(concept) & _last_words(other) for other in concepts):
            concepts.append(concept)
    return concepts


@cache
def _last_words(concept: Concept) -> frozenset[str]:
    """What its names end with: "alarm clock" and "clock" are both clocks."""
    return frozenset(name.split()[-1] for name in concept.names)


def _copies(concept: Concept, copies: int, coloured: bool, generator: np.random.Generator) -> list[Role]:
    """The same thing several times: each in another colour, all in one, or all as they are."""
    colours = list(concept_table().colours)
    order = [colours[place] for place in generator.permutation(len(colours)).tolist()]
    chosen: list[str | None] = [None] * copies
    if coloured or not concept.glyphs or generator.random() < _TINTED:
        chosen = [order[copy] for copy in range(copies)] if generator.random() < 0.6 else [order[0]] * copies
    forms = forms_of(concept)
    return [Role(concept, colour, forms[int(generator.integers(len(forms)))]) for colour in chosen]
