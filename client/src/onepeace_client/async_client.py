"""The client for asyncio; the same as `client.py`, with `await`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import aclosing
from functools import partial
from types import TracebackType

from onepeace_client.answers import Boxes, Embedding, Embeddings, Info, Labels, Similarities
from onepeace_client.async_driver import AsyncDriver
from onepeace_client.async_stream import AsyncLane, AsyncRequestLane, embed_in_order
from onepeace_client.encodings import Encoding
from onepeace_client.front import Front, OnError, Options, classify_options, embed_options, parse_address
from onepeace_client.items import Comparable, Item, Part
from onepeace_client.profile import Profile
from onepeace_client.rest_wire import RestWire
from onepeace_client.script import Script
from onepeace_client.stream import Stream
from onepeace_client.wire import Windows


class AsyncClient:
    """A ONE-PEACE server at `http://host:8000`, or, over gRPC, `grpc://host:50051`. Tasks of one loop may share it.

    Every call but a stream takes `deadline_s`, seconds for all that it does; all may raise any OnePeaceError. A wrong
    argument is a TypeError or ValueError that names it; a file that can't be read, its OSError.
    """

    def __init__(self, url: str, options: Options | None = None) -> None:
        options, address = options or Options(), parse_address(url)
        if address.is_grpc:
            from onepeace_client.grpc_stream import AsyncGrpcLane
            from onepeace_client.grpc_transport import AsyncGrpcTransport
            from onepeace_client.grpc_wire import GrpcWire

            wire, transport = GrpcWire(), AsyncGrpcTransport(address, options)
            self._front = Front(wire, options)
            self._driver = AsyncDriver(transport, options.concurrency)
            self._open_lane: Callable[[Stream], AsyncLane] = partial(AsyncGrpcLane, transport.threaded, wire)
        else:
            from onepeace_client.http_transport import AsyncHttpTransport

            self._front = Front(RestWire(), options)
            self._driver = AsyncDriver(AsyncHttpTransport(address.url, options), options.concurrency)
            self._open_lane = partial(AsyncRequestLane, self._driver, options.concurrency)

    async def embed(
        self,
        items: Iterable[Item],
        *,
        encoding: Encoding | Iterable[Encoding] = "float",
        dimensions: int | None = None,
        windows: Windows | None = None,
        on_error: OnError = "fail",
        deadline_s: float | None = None,
    ) -> Embeddings:
        """One vector for each item, in order; long lists go in several requests.

        `encoding`: "float" gives the answer's `vectors`, "int8" its `int8`, "binary" its `binary`; one or several.
        `dimensions` are the first ones, normalised anew, if the model was trained for that. With `windows` a clip's
        vector is the mean of its windows', and `windows` of the answer has these. `on_error="report"`
        answers the good items and puts what is wrong with the others into `errors`; with "fail" the first request
        with a bad item ends the call.
        """
        options = embed_options(encoding, dimensions, windows, on_error)
        return await self._driver.run(self._front.embed(items, options, deadline_s))

    def embed_stream(
        self,
        items: Iterable[Item] | AsyncIterable[Item],
        *,
        encoding: Encoding | Iterable[Encoding] = "float",
        dimensions: int | None = None,
        windows: Windows | None = None,
        on_error: OnError = "fail",
    ) -> AsyncGenerator[Embedding]:
        """One vector after the other, in order, of items that are read as they are needed, a bounded number ahead.

        With "fail" a wrong item's error is raised when those before it were given. Over gRPC each item is sent by
        itself, over HTTP in requests of up to 32. `Options.timeout_s` bounds the wait for each answer. To leave the
        loop early, put `contextlib.aclosing` around the stream.
        """
        options = embed_options(encoding, dimensions, windows, on_error)
        return self._stream(items, self._front.embed_stream(items, options))

    async def similarity(
        self,
        queries: Iterable[Comparable],
        candidates: Iterable[Comparable],
        *,
        probabilities: bool = False,
        deadline_s: float | None = None,
    ) -> Similarities:
        """Cosines of each query with each candidate; `probabilities`: also their softmax, as in training."""
        return await self._driver.run(self._front.similarity(queries, candidates, probabilities, deadline_s))

    async def ground(
        self, image: Part, phrases: Iterable[str], *, scores: bool = False, deadline_s: float | None = None
    ) -> Boxes:
        """Where in the picture each phrase is; `scores`: also how well each box fits, low where it is not there."""
        return await self._driver.run(self._front.ground(image, phrases, scores, deadline_s))

    async def classify(
        self,
        item: Item,
        labels: Iterable[str],
        *,
        templates: str | Iterable[str] | None = None,
        multi_label: bool = False,
        threshold: float | None = None,
        deadline_s: float | None = None,
    ) -> Labels:
        """Probabilities of the caller's labels, best first.

        `templates` hold `{}` once, where the label goes; a label's vector is the mean over several. `threshold` is the
        cosine from which a label counts: then the answer has `none_of_these`. With `multi_label`, which needs it,
        labels don't exclude each other.
        """
        options = classify_options(templates, multi_label, threshold)
        return await self._driver.run(self._front.classify(item, labels, options, deadline_s))

    async def audio_labels(
        self, clip: Part, top_k: int = 5, *, windows: Windows | None = None, deadline_s: float | None = None
    ) -> Labels:
        """The trained head's labels of a sound, best first."""
        return await self._driver.run(self._front.audio_labels(clip, top_k, windows, deadline_s))

    async def info(self, *, deadline_s: float | None = None) -> Info:
        """What is served, within which limits."""
        return await self._driver.run(self._front.info(deadline_s))

    def profile(self) -> Profile:
        """Where the time of this client's requests went; `print` shows a table."""
        return self._front.profile()

    async def close(self) -> None:
        """Close all connections."""
        await self._driver.close()

    async def __aenter__(self) -> AsyncClient:
        """The client itself; it is closed at the end of the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _stream(
        self, items: Iterable[Item] | AsyncIterable[Item], opening: Script[Stream]
    ) -> AsyncGenerator[Embedding]:
        stream = await self._driver.run(opening)
        async with aclosing(embed_in_order(stream, items, self._open_lane(stream))) as embeddings:
            async for embedding in embeddings:
                yield embedding
