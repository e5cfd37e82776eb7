"""Smaller answers for callers who ask for them: zstd (RFC 8878) and gzip of JSON."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, Protocol

import zstandard
from starlette.responses import Response, StreamingResponse

from service.wire.negotiation import preferred

OFFERED = ("zstd", "gzip")
COMPRESSED_TYPE = "application/json"
GZIP_LEVEL, ZSTD_LEVEL = 1, 1
"""Digits of random numbers hardly shrink further at higher levels."""
GZIP_WINDOW = 16 + zlib.MAX_WBITS
INLINE_BYTES = 64 * 1024
"""Compressed on the event loop, in about 1 ms; more goes to a thread."""


class Compressor(Protocol):
    """What zlib and zstandard have in common."""

    def compress(self, data: Any, /) -> bytes:
        """Take the next bytes; give what is ready."""

    def flush(self) -> bytes:
        """Give the rest."""


async def compress(response: Response, accept_encoding: bytes | None, min_bytes: int) -> None:
    """Compress a JSON answer in its place where the caller asked for that; short ones stay as they are."""
    if response.media_type != COMPRESSED_TYPE:
        return
    is_stream = isinstance(response, StreamingResponse)
    if not is_stream and len(response.body) < min_bytes:
        return
    response.headers.add_vary_header("accept-encoding")
    encoding = preferred(accept_encoding, OFFERED, "")
    if not encoding:
        return
    response.headers["content-encoding"] = encoding
    compressor = _compressor(encoding)
    if isinstance(response, StreamingResponse):
        response.body_iterator = _compress_chunks(response.body_iterator, compressor)
    else:
        response.body = await _compress_whole(bytes(response.body), compressor)
        response.headers["content-length"] = str(len(response.body))


def _compressor(encoding: str) -> Compressor:
    if encoding == "zstd":
        return zstandard.ZstdCompressor(ZSTD_LEVEL).compressobj()
    return zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_WINDOW)


async def _compress_whole(body: bytes, compressor: Compressor) -> bytes:
    def work() -> bytes:
        return compressor.compress(body) + compressor.flush()

    return work() if len(body) <= INLINE_BYTES else await asyncio.to_thread(work)


async def _compress_chunks(chunks: AsyncIterable[Any], compressor: Compressor) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        if piece := await asyncio.to_thread(compressor.compress, chunk):
            yield piece
    yield compressor.flush()
