"""The matrix of `/similarity`: small ones at once, large ones streamed block by block, as JSON or `.npy`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import orjson
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response, StreamingResponse

from service.usecases.results import SimilarityResult
from service.wire.answers import json_response, source_body
from service.wire.arrays import NPY, source_headers


def similarity_answer(result: SimilarityResult) -> Response:
    """The answer of `/similarity` as JSON."""
    if result.similarities.is_large:
        return StreamingResponse(iterate_in_threadpool(_json_pieces(result)), media_type="application/json")
    cosines, probabilities = result.similarities.matrices(np.float64)
    body: dict[str, Any] = {**source_body(result.source), "similarity": cosines}
    return json_response(body if probabilities is None else body | {"probabilities": probabilities})


def npy_matrix(result: SimilarityResult) -> Response:
    """The answer of `/similarity` as one array: float32 [Q, C], probabilities instead of cosines if asked for."""
    similarities = result.similarities
    header = io.BytesIO()
    form = {"descr": "<f4", "fortran_order": False, "shape": similarities.shape}
    np.lib.format.write_array_header_1_0(header, form)
    is_plain = similarities.logit_scale is None
    blocks: Iterable[Any] = similarities.cosine_blocks() if is_plain else similarities.probability_blocks()

    def pieces() -> Iterator[bytes]:
        yield header.getvalue()
        for block in blocks:
            yield block.astype("<f4").tobytes()

    queries, candidates = similarities.shape
    headers = source_headers(result.source) | {"content-length": str(header.tell() + 4 * queries * candidates)}
    return StreamingResponse(iterate_in_threadpool(pieces()), headers=headers, media_type=NPY)


def _json_pieces(result: SimilarityResult) -> Iterator[bytes]:
    """What `json_response` would write, with one block of the matrix in memory at a time."""
    head = orjson.dumps(source_body(result.source))
    yield head[:-1] + b',"similarity":['
    yield from _rows(result.similarities.cosine_blocks)
    if result.similarities.logit_scale is not None:
        yield b'],"probabilities":['
        yield from _rows(result.similarities.probability_blocks)
    yield b"]}"


def _rows(blocks: Callable[[], Iterator[Any]]) -> Iterator[bytes]:
    separator = b""
    for block in blocks():
        yield separator + orjson.dumps(block, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
        separator = b","
