"""What a recipe is given, and the register of recipes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000

Wave = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Take:
    """How one rendition differs from the plain one."""

    pitch: float = 1.0  # factor on every frequency, 0.87 to 1.15
    tempo: float = 1.0  # factor on every rhythm, 0.86 to 1.16
    brightness_db: float = 0.0  # per octave around 1 kHz, −2.5 to 2.5


PLAIN_TAKE = Take()


def _spread(number: int, step: float) -> float:
    """The `number`-th of a sequence that fills 0 to 1 evenly, and whose every sixth members do as well."""
    row, column = divmod(number, 6)
    return (0.5 + row * step + column * step * step) % 1.0


# Three steps of which no one is near a multiple of another, so that no two of the three go hand in hand.
TAKES = tuple(
    Take(
        pitch=0.87 + 0.28 * _spread(number, 0.8191725134),
        tempo=0.86 + 0.30 * _spread(number, 0.6180339887),
        brightness_db=-2.5 + 5.0 * _spread(number, 0.5497004779),
    )
    for number in range(48)
)


@dataclass(frozen=True, slots=True)
class Performance:
    """One rendition: its randomness, its length and its take."""

    generator: np.random.Generator
    samples: int
    take: Take = PLAIN_TAKE

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return self.samples / SAMPLE_RATE_HZ

    def hz(self, frequency_hz: float) -> float:
        """A frequency as this take has it, with 3 % of chance."""
        return frequency_hz * self.take.pitch * self.between(0.97, 1.03)

    def per_second(self, rate_hz: float) -> float:
        """A rate of events as this take has it, with 3 % of chance."""
        return rate_hz * self.take.tempo * self.between(0.97, 1.03)

    def between(self, low: float, high: float) -> float:
        """A random number, evenly spread."""
        return float(self.generator.uniform(low, high))

    def repeat(self, make: Callable[[int], Wave], every_s: float, jitter: float = 0.04) -> Wave:
        """The clip filled with events, the first within 0.15 s of its start.

        Args:
            make: the wave of the event of this number.
            every_s: seconds from start to start.
            jitter: standard deviation of that, as a share of it.
        """
        clip = np.zeros(self.samples)
        start_s, number = self.between(0.0, min(0.15, every_s / 2)), 0
        while start_s < self.seconds:
            add_at(clip, make(number), start_s)
            start_s += every_s * (1.0 + jitter * self.between(-1.7, 1.7))
            number += 1
        return clip


def sample_count(seconds: float) -> int:
    """Samples in this time, one at least."""
    return max(1, round(seconds * SAMPLE_RATE_HZ))


def add_at(clip: Wave, event: Wave, start_s: float, gain: float = 1.0) -> None:
    """Add an event into the clip; what hangs over the end is lost."""
    start = round(start_s * SAMPLE_RATE_HZ)
    room = len(clip) - start
    if room > 0:
        clip[start : start + len(event)] += gain * event[:room]


Recipe = Callable[[Performance], Wave]
RECIPES: dict[str, Recipe] = {}


def recipe(thing: str) -> Callable[[Recipe], Recipe]:
    """Register the recipe of a thing; it returns [samples] at any loudness."""

    def register(function: Recipe) -> Recipe:
        if thing in RECIPES:
            raise ValueError(f"{thing} has two recipes")
        RECIPES[thing] = function
        return function

    return register
