"""Cosines between two lists of items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.context import Stages
from service.errors import InvalidField, InvalidRequest
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
    logit_scale = require_logit_scale(embedder, "/probabilities") if probabilities else None
    embedded = await embedder.embed_all([*queries, *candidates], stages)
    vectors = np.stack([item.vector for item in embedded])
    cosines = np.clip(vectors[: len(queries)] @ vectors[len(queries) :].T, -1.0, 1.0)
    return Similarities(cosines, None if logit_scale is None else contrast(cosines, logit_scale))


def require_logit_scale(embedder: Embedder, pointer: str) -> float:
    """The model's logarithmic factor on cosines.

    Raises:
        InvalidRequest: the checkpoint had none, so cosines can't become probabilities.
    """
    if embedder.logit_scale is None:
        detail = "the served model has no logit_scale, so it gives no probabilities"
        raise InvalidRequest([InvalidField(detail, pointer=pointer)])
    return embedder.logit_scale
