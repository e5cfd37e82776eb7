"""Cosines between two lists of items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.context import Stages
from service.usecases.embedding import Embedder
from service.usecases.items import Item
from service.usecases.probabilities import contrast


@dataclass(frozen=True, slots=True)
class Similarities:
    """`cosines` float32 [queries, candidates]; `probabilities` float64, each row sums to 1, if asked for."""

    cosines: NDArray[np.float32]
    probabilities: NDArray[np.float64] | None


async def compare(
    embedder: Embedder, queries: Sequence[Item], candidates: Sequence[Item], probabilities: bool, stages: Stages
) -> Similarities:
    """Embed both lists in one go and compare each query with each candidate.

    Raises:
        InvalidRequest, EngineFailure: as `Embedder.embed_all`.
    """
    embedded = await embedder.embed_all([*queries, *candidates], stages)
    vectors = np.stack([item.vector for item in embedded])
    cosines = np.clip(vectors[: len(queries)] @ vectors[len(queries) :].T, -1.0, 1.0)
    return Similarities(cosines, contrast(cosines, embedder.logit_scale) if probabilities else None)
