"""Captions of pictures, from the table's templates."""

from __future__ import annotations

import numpy as np

from training.data.concepts import Concept, concept_table


def choose_name(concept: Concept, generator: np.random.Generator) -> str:
    """The usual name in 70 %, one of the others in 30 %."""
    if not concept.other_names or generator.random() < 0.7:
        return concept.name
    return concept.other_names[int(generator.integers(len(concept.other_names)))]


def write_caption(kind: str, concept: Concept, colour: str | None, generator: np.random.Generator) -> str:
    """A caption of one of the table's kinds: "picture", "coloured" or "colour"."""
    table = concept_table()
    templates = table.captions[kind]
    template = templates[int(generator.integers(len(templates)))]
    name = choose_name(concept, generator)
    if name in table.plural:
        template = template.replace("there is {}", "there are {}").replace("this is {}", "these are {}")
    if name in table.plural or name in table.uncountable:
        template = template.replace("a {colour} {bare}", "{colour} {bare}")
    if colour is not None and colour[0] in "aeiou":
        template = template.replace("a {colour}", "an {colour}")
    return template.format(table.with_article(name), bare=name, colour=colour)
