"""A matrix over gRPC: computed once, and off the event loop where it is large."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from service.rpc.answers import similarity_message
from service.rpc.generated import onepeace_pb2 as pb
from service.rpc.servicer import serialized
from service.usecases.probabilities import contrast
from service.usecases.results import SimilarityResult
from service.usecases.similarity import BLOCK_CELLS, Similarities
from service.usecases.source import Source


class Watched(Similarities):
    """Notes who asks for its numbers."""

    threads: list[threading.Thread]

    def cosine_blocks(self) -> Iterator[np.ndarray]:
        self.threads.append(threading.current_thread())
        return super().cosine_blocks()


def watched(queries: int, candidates: int) -> Watched:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(queries + candidates, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    similarities = Watched(vectors[:queries], vectors[queries:], 1.5)
    object.__setattr__(similarities, "threads", [])
    return similarities


@pytest.mark.parametrize(("queries", "candidates"), [(2, 3), (700, 300)])
async def test_a_matrix_is_computed_once_and_off_the_loop_where_it_is_large(queries: int, candidates: int) -> None:
    similarities = watched(queries, candidates)
    data = await serialized(similarity_message, SimilarityResult(Source("m", "f"), similarities))
    message = pb.SimilarityResponse.FromString(data)
    exact = similarities.queries @ similarities.candidates.T
    for name, expected in (("similarity", exact), ("probabilities", contrast(exact, 1.5))):
        matrix = getattr(message, name)
        assert (matrix.rows, matrix.columns) == (queries, candidates)
        given = np.frombuffer(matrix.float32, "<f4").reshape(queries, candidates)
        np.testing.assert_allclose(given, expected, atol=1e-5)
    (thread,) = similarities.threads
    assert (thread is not threading.main_thread()) == (queries * candidates > BLOCK_CELLS)
