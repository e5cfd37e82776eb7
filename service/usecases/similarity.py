"""Cosines between two lists of items, block by block: a large matrix never stands in memory whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.context import Stages
from service.errors import InvalidField, InvalidRequest
from service.usecases.embedding import Embedder
from service.usecases.items import Item
from service.usecases.probabilities import contrast

BLOCK_CELLS = 64 * 1024
"""Cells of one block: 256 kB of float32, some 5 ms to compute and to write as JSON."""


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
    def cosines(self) -> NDArray[np.float32]:
        """The whole matrix, float32 [Q, C]."""
        return _cosines(self.queries, self.candidates)

    @property
    def probabilities(self) -> NDArray[np.float64] | None:
        """The whole matrix, float64 [Q, C], each row sums to 1; None when it was not asked for."""
        return None if self.logit_scale is None else contrast(self.cosines, self.logit_scale)

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
    logit_scale = require_logit_scale(embedder, "/probabilities") if probabilities else None
    embedded = await embedder.embed_all([*queries, *candidates], stages)
    vectors = np.stack([item.vector for item in embedded])
    return Similarities(vectors[: len(queries)], vectors[len(queries) :], logit_scale)


def require_logit_scale(embedder: Embedder, pointer: str) -> float:
    """The model's logarithmic factor on cosines.

    Raises:
        InvalidRequest: the checkpoint had none, so cosines can't become probabilities.
    """
    if embedder.logit_scale is None:
        detail = "the served model has no logit_scale, so it gives no probabilities"
        raise InvalidRequest([InvalidField(detail, pointer=pointer)])
    return embedder.logit_scale
