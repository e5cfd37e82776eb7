"""Search a gallery: the place of the right answer for every query, and examples for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluation.dataset import spread
from training.evaluation.metrics import Integers, retrieval_places, share_within
from training.evaluation.model import Vector
from training.evaluation.tasks.result import ANSWERS, EXAMPLES, Answer, Ranking, Shown

CUTOFFS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Side:
    """Queries or candidates: `vectors` float32 [N, D], L2-normalised, and how the report shows each."""

    vectors: Vector
    shown: Sequence[tuple[Shown, ...]]


@dataclass(frozen=True, slots=True)
class Found:
    """`places` int64 [Q] of the right answers, 0 the best."""

    places: Integers
    rankings: tuple[Ranking, ...]


def search(queries: Side, gallery: Side, relevant: Sequence[Sequence[int]]) -> Found:
    """Rank the gallery for every query; `relevant` has the numbers of its right answers."""
    found = retrieval_places(queries.vectors, gallery.vectors, relevant)
    rankings = []
    for number in spread(range(len(found)), EXAMPLES):
        cosines = gallery.vectors @ queries.vectors[number]
        best = np.argsort(-cosines, kind="stable")[:ANSWERS].tolist()
        answers = tuple(
            Answer(gallery.shown[place][0], float(cosines[place]), place in relevant[number]) for place in best
        )
        rankings.append(Ranking(queries.shown[number], answers, int(found[number])))
    return Found(found, tuple(rankings))


def recalls(found: Integers, direction: str = "") -> dict[str, float]:
    """R@1, R@5 and R@10, under the direction's name if there is more than one."""
    return {f"{direction} R@{k}".strip(): share_within(found, k) for k in CUTOFFS}
