"""Vectors of labelled files, and random galleries of one file for each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluation.dataset import MediaKind, TaggedFile
from training.evaluation.model import EvaluatedModel, Vector
from training.evaluation.tasks.gallery_search import Side
from training.evaluation.tasks.gathering import embed_files
from training.evaluation.tasks.result import Refused, Shown


@dataclass(frozen=True, slots=True)
class LabelledVectors:
    """`vectors` float32 [N, D] of the usable files `items`; `numbers` of those of each label."""

    kind: MediaKind
    vectors: Vector
    items: tuple[TaggedFile, ...]
    numbers: dict[str, list[int]]
    refused: tuple[Refused, ...]

    def pick(self, labels: Sequence[str], random: np.random.Generator) -> list[int]:
        """The number of one random file for each label."""
        return [int(random.choice(self.numbers[label])) for label in labels]

    def side(self, numbers: Sequence[int]) -> Side:
        """These files as queries or candidates."""
        items = [self.items[number] for number in numbers]
        return Side(self.vectors[list(numbers)], [(Shown(self.kind, item.label, item.path),) for item in items])


def embed_labelled(model: EvaluatedModel, kind: MediaKind, items: Sequence[TaggedFile]) -> LabelledVectors:
    """Embed the files.

    Raises:
        DataError: none is usable.
        ModelError: the model can't be asked.
    """
    embedded = embed_files(model, kind, [item.path for item in items])
    kept = tuple(items[number] for number in embedded.kept)
    numbers: dict[str, list[int]] = {}
    for number, item in enumerate(kept):
        numbers.setdefault(item.label, []).append(number)
    return LabelledVectors(kind, embedded.vectors, kept, numbers, embedded.refused)
