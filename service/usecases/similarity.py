"""Cosines between two lists of items, block by block: a large matrix never stands in memory whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from service.context import Stages
from service.usecases.embedding import Embedder
from service.usecases.items import Item
from service.usecases.probabilities import contrast

BLOCK_CELLS = 64 * 1024
"""Cells of one block: 256 kB of float32, some 5 ms to compute and to write as JSON."""


Cosines = NDArray[np.float32]
Probability = TypeVar("Probability", np.float32, np.float64)


@dataclass(frozen=True, slots=True)
class Similarities:
    """Every query against every candidate.

    Attributes:
        queries, candidates: float32 [Q, D] and [C, D], L2 norm 1.
        logit_scale: makes probabilities of cosines; None when they were not asked for.
    """

    queries: NDArray[np.float32]
    candidates: NDArray[np.float32]
    logit_scale: float | None

    @property
    def shape(self) -> tuple[int, int]:
        """Queries and candidates."""
        return len(self.queries), len(self.candidates)

    @property
    def is_large(self) -> bool:
        """Whether it takes too long for the event loop."""
        return len(self.queries) * len(self.candidates) > BLOCK_CELLS

    def matrices(self, probability_type: type[Probability]) -> tuple[Cosines, NDArray[Probability] | None]:
        """The cosines whole, float32 [Q, C], and the probabilities if they were asked for, in one pass."""
        cosines = np.empty(self.shape, dtype=np.float32)
        probabilities = None if self.logit_scale is None else np.empty(self.shape, dtype=probability_type)
        start = 0
        for block in self.cosine_blocks():
            end = start + len(block)
            cosines[start:end] = block
            if probabilities is not None and self.logit_scale is not None:
                probabilities[start:end] = contrast(block, self.logit_scale)
            start = end
        return cosines, probabilities

    def cosine_blocks(self) -> Iterator[NDArray[np.float32]]:
        """The matrix's rows from the first to the last, float32 [n, C], some `BLOCK_CELLS` cells at a time."""
        rows = max(1, BLOCK_CELLS // len(self.candidates))
        for start in range(0, len(self.queries), rows):
            yield _cosines(self.queries[start : start + rows], self.candidates)

    def probability_blocks(self) -> Iterator[NDArray[np.float64]]:
        """As `cosine_blocks`; nothing when probabilities were not asked for."""
        if self.logit_scale is not None:
            for block in self.cosine_blocks():
                yield contrast(block, self.logit_scale)


def _cosines(queries: NDArray[np.float32], candidates: NDArray[np.float32]) -> NDArray[np.float32]:
    products: NDArray[np.float32] = queries @ candidates.T
    return products.clip(-1.0, 1.0)


async def compare(
    embedder: Embedder, queries: Sequence[Item], candidates: Sequence[Item], probabilities: bool, stages: Stages
) -> Similarities:
    """Embed both lists in one go, to compare each query with each candidate.

    Raises:
        InvalidRequest, EngineFailure: as `Embedder.embed_all`.
    """
    logit_scale = embedder.space.require_logit_scale("/probabilities") if probabilities else None
    embedded = await embedder.embed_all([*queries, *candidates], stages)
    vectors = np.stack([item.vector for item in embedded])
    return Similarities(vectors[: len(queries)], vectors[len(queries) :], logit_scale)
