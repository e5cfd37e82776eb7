"""Train, validation and test: separate random streams, and separate choices of everything that varies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar
from zlib import crc32

import numpy as np

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

Choice = TypeVar("Choice")


def example_generator(seed: int, split: Split, kind: str, number: int) -> np.random.Generator:
    """The random stream of one example, a pure function of the run's seed, the split, its kind and its number."""
    return np.random.default_rng([seed, SPLITS.index(split), crc32(kind.encode()), number])


def share(choices: Sequence[Choice], split: Split) -> tuple[Choice, ...]:
    """This split's own part of `choices`: of every six in order, four are for training, one for each other split.

    Raises:
        ValueError: fewer than six choices, so that some split would have none.
    """
    if len(choices) < 6:
        raise ValueError(f"{len(choices)} choices can't be shared among the splits; 6 are needed")
    places = {"train": (0, 1, 2, 3), "validation": (4,), "test": (5,)}[split]
    return tuple(choice for number, choice in enumerate(choices) if number % 6 in places)
