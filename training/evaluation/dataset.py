"""What the readers of all benchmarks give: labelled files, captioned files, phrases with boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

MediaKind = Literal["image", "audio"]
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the upright picture."""

Thing = TypeVar("Thing")


class DataError(Exception):
    """A benchmark's files are not as its reader expects; the message names the file and, where it can, the line."""


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A file and the numbers of its classes: one, or several that don't exclude each other."""

    path: Path
    labels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Files with classes.

    `classes` are the data's own labels and `names` the words that go into prompts, both in the order of the classes'
    numbers. `exclusive`: every file has exactly one class. `templates`: the prompts that suit the data; empty: the
    usual ones of its kind.
    """

    kind: MediaKind
    items: tuple[LabelledFile, ...]
    classes: tuple[str, ...]
    names: tuple[str, ...]
    exclusive: bool = True
    templates: tuple[str, ...] = ()
    missing: tuple[Path, ...] = ()

    def limited(self, count: int | None) -> Labelled:
        """At most `count` files, spread evenly over the whole, because files often stand class by class."""
        return self if count is None else replace(self, items=spread(self.items, count))


@dataclass(frozen=True, slots=True)
class CaptionedFile:
    """A file and its captions, at least one."""

    path: Path
    captions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Captioned:
    """Files with captions, for retrieval in both directions."""

    kind: MediaKind
    items: tuple[CaptionedFile, ...]
    missing: tuple[Path, ...] = ()

    def limited(self, count: int | None) -> Captioned:
        """At most `count` files, spread evenly over the whole, because files often stand class by class."""
        return self if count is None else replace(self, items=spread(self.items, count))


@dataclass(frozen=True, slots=True)
class PhraseBox:
    """What a phrase means in a picture."""

    path: Path
    phrase: str
    box: Box


@dataclass(frozen=True, slots=True)
class Grounded:
    """Phrases with boxes."""

    items: tuple[PhraseBox, ...]
    missing: tuple[Path, ...] = ()

    def limited(self, count: int | None) -> Grounded:
        """At most `count` phrases, spread evenly over the whole, because files often stand class by class."""
        return self if count is None else replace(self, items=spread(self.items, count))


@dataclass(frozen=True, slots=True)
class TaggedFile:
    """A file and its label in words."""

    path: Path
    label: str


@dataclass(frozen=True, slots=True)
class Paired:
    """Pictures and sounds that share labels, for retrieval from one to the other.

    For `composed`, a picture's label is a colour, a space and the sound's label: "red cow".
    """

    pictures: tuple[TaggedFile, ...]
    sounds: tuple[TaggedFile, ...]
    missing: tuple[Path, ...] = ()
    heard: frozenset[str] = frozenset()

    def labels_heard(self) -> frozenset[str]:
        """Labels of the sounds, also of those that a limit took away: galleries stay as hard."""
        return self.heard or frozenset(item.label for item in self.sounds)

    def limited(self, count: int | None) -> Paired:
        """At most `count` sounds, spread evenly; the pictures, of which galleries are drawn, all stay."""
        if count is None:
            return self
        return replace(self, sounds=spread(self.sounds, count), heard=self.labels_heard())


def spread(things: Sequence[Thing], count: int) -> tuple[Thing, ...]:
    """`count` of the things at even distances, in order; all when there are no more."""
    if len(things) <= count:
        return tuple(things)
    return tuple(things[number * len(things) // count] for number in range(count))


def portions(things: Sequence[Thing], size: int) -> Iterator[Sequence[Thing]]:
    """The things in order, at most `size` at a time."""
    for start in range(0, len(things), size):
        yield things[start : start + size]
