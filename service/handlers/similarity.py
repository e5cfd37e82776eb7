"""Cosines between queries and candidates."""

from __future__ import annotations

from service.context import RequestContext
from service.runtime import Runtime
from service.usecases.results import SimilarityResult
from service.usecases.similarity import compare
from service.wire.requests.items import items_at
from service.wire.requests.similarity import SimilarityRequest


async def compare_items(runtime: Runtime, context: RequestContext, wanted: SimilarityRequest) -> SimilarityResult:
    """Compare each query with each candidate; items may also be vectors that the caller has already.

    Raises:
        ModelNotServed, InvalidRequest, EngineFailure, Unavailable.
    """
    queries, candidates = items_at(wanted.queries, "/queries"), items_at(wanted.candidates, "/candidates")
    runtime.admit_items(context, [*queries, *candidates])
    result = await compare(runtime.embedder, queries, candidates, wanted.probabilities, context.stages)
    return SimilarityResult(runtime.source, result)
