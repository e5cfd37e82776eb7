"""One example: a thing's sound somewhere, and what it is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.data.concepts import Concept, concept_table
from training.data.sounds.performance import PLAIN_TAKE, RECIPES, TAKES, Performance, Take, Wave, sample_count
from training.data.sounds.room import NOISES, ROOMS, place
from training.data.splits import Split, example_generator, share

Choice = TypeVar("Choice")


@dataclass(frozen=True, slots=True)
class MadeSound:
    """A sound with its caption."""

    waveform: NDArray[np.float32]  # [n], 16 kHz, mono, -1 to 1
    text: str
    label: str  # the usual name of the thing


def make_sound(seed: int, split: Split, number: int) -> MadeSound:
    """The `number`-th sound of a split, a pure function of its arguments; the things come in turn.

    Args:
        seed: the run's.
        split: which rooms, noises and takes may come.
        number: from 0.
    """
    things = concept_table().things
    thing = things[number % len(things)]
    generator = example_generator(seed, split, "sound", number)
    take = choose(generator, share(TAKES, split))
    wave = synthesise(thing.name, generator, choose_seconds(generator), take)
    performance = Performance(generator, len(wave), take)
    heard = place(performance, wave, choose(generator, share(ROOMS, split)), choose(generator, share(NOISES, split)))
    usual = not thing.other_names or generator.random() < 0.7
    name = thing.name if usual else choose(generator, thing.other_names)
    return MadeSound(heard.astype(np.float32), caption(generator, "sound", thing, name), thing.name)


def synthesise(thing: str, generator: np.random.Generator, seconds: float, take: Take = PLAIN_TAKE) -> Wave:
    """The dry sound of a thing.

    Args:
        thing: its usual name.
        generator: the randomness.
        seconds: length.
        take: pitch and tempo; the brightness is the room's business.

    Returns:
        [seconds × 16,000], peak 1.

    Raises:
        KeyError: nobody knows what this sounds like.
    """
    wave = RECIPES[thing](Performance(generator, sample_count(seconds), take))
    return wave / (float(np.abs(wave).max()) + 1e-9)


def choose(generator: np.random.Generator, choices: Sequence[Choice]) -> Choice:
    """One of the choices, all equally likely."""
    return choices[int(generator.integers(len(choices)))]


def choose_seconds(generator: np.random.Generator) -> float:
    """1 to 2.2 s nine times of ten, else up to 5 s."""
    return float(generator.uniform(1.0, 2.2) if generator.random() < 0.9 else generator.uniform(2.2, 5.0))


def caption(generator: np.random.Generator, kind: str, thing: Concept, name: str) -> str:
    """A caption of this kind that calls the thing by this name."""
    table = concept_table()
    template = choose(generator, table.captions[kind])
    return template.format(table.with_article(name), bare=name, heard=thing.heard)
