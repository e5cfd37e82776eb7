"""The table of concepts, read from `concepts.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TABLE_FILE = Path(__file__).with_name("concepts.yaml")


@dataclass(frozen=True, slots=True)
class Concept:
    """A thing that can be seen and heard; a shape has no glyphs and nothing to hear."""

    number: int
    name: str
    glyphs: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()
    heard: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the usual one first."""
        return (self.name, *self.other_names)


@dataclass(frozen=True, slots=True)
class ConceptTable:
    """Things, shapes, colours and caption templates."""

    things: tuple[Concept, ...]
    shapes: tuple[Concept, ...]
    colours: dict[str, tuple[int, int, int]]  # name → sRGB, 0 to 255
    captions: dict[str, tuple[str, ...]]  # kind → templates
    plural: frozenset[str]
    uncountable: frozenset[str]

    def with_article(self, name: str) -> str:
        """The name as it stands in a sentence: "a cow", "an axe", "scissors"."""
        if name in self.plural or name in self.uncountable:
            return name
        return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


@cache
def concept_table() -> ConceptTable:
    """The project's own table."""
    table: dict[str, Any] = yaml.safe_load(TABLE_FILE.read_text(encoding="utf-8"))
    things = tuple(
        Concept(number, name, tuple(row["glyphs"]), tuple(row["names"]), row["heard"])
        for number, (name, row) in enumerate(table["things"].items())
    )
    shapes = tuple(Concept(len(things) + number, name) for number, name in enumerate(table["shapes"]))
    return ConceptTable(
        things=things,
        shapes=shapes,
        colours={name: (rgb[0], rgb[1], rgb[2]) for name, rgb in table["colours"].items()},
        captions={kind: tuple(templates) for kind, templates in table["captions"].items()},
        plural=frozenset(table["plural"]),
        uncountable=frozenset(table["uncountable"]),
    )
