"""The client for asyncio; the same as `client.py`, with `await`."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

from onepeace_client.answers import Boxes, Embeddings, Info, Labels, Similarities
from onepeace_client.async_driver import AsyncDriver
from onepeace_client.front import Front, OnError, Options, parse_address
from onepeace_client.items import Comparable, Item, Part
from onepeace_client.profile import Profile
from onepeace_client.rest_wire import RestWire
from onepeace_client.wire import ClassifyOptions, EmbedOptions, Windows


class AsyncClient:
    """A ONE-PEACE server at `http://host:8000`, or, over gRPC, `grpc://host:8001`. Tasks of one loop may share it.

    Every call takes `deadline_s`, seconds for all that it does, and may raise any OnePeaceError; a wrong argument is a
    TypeError or ValueError that names it.
    """

    def __init__(self, url: str, options: Options | None = None) -> None:
        options, address = options or Options(), parse_address(url)
        if address.is_grpc:
            from onepeace_client.grpc_transport import AsyncGrpcTransport
            from onepeace_client.grpc_wire import GrpcWire

            self._front = Front(GrpcWire(), options)
            self._driver = AsyncDriver(AsyncGrpcTransport(address, options), options.concurrency)
        else:
            from onepeace_client.http_transport import AsyncHttpTransport

            self._front = Front(RestWire(), options)
            self._driver = AsyncDriver(AsyncHttpTransport(address.url, options), options.concurrency)

    async def embed(
        self,
        items: Iterable[Item],
        *,
        dimensions: int | None = None,
        windows: Windows | None = None,
        on_error: OnError = "fail",
        deadline_s: float | None = None,
    ) -> Embeddings:
        """One vector for each item, in order; long lists go in several requests.

        `dimensions` are the first ones, normalised anew, if the model was trained for that. With `windows` a clip's
        vector is the mean of its windows', and `windows` of the answer has these. `on_error="report"`
        answers the good items and puts what is wrong with the others into `errors`; with "fail" the first request
        with a bad item ends the call.
        """
        return await self._driver.run(self._front.embed(items, EmbedOptions(on_error, dimensions, windows), deadline_s))

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

    async def ground(self, image: Part, phrases: Iterable[str], *, deadline_s: float | None = None) -> Boxes:
        """Where in the picture each phrase is."""
        return await self._driver.run(self._front.ground(image, phrases, deadline_s))

    async def classify(
        self, item: Item, labels: Iterable[str], *, template: str | None = None, deadline_s: float | None = None
    ) -> Labels:
        """Probabilities of the caller's labels, best first. `template` holds `{}` once, where the label goes."""
        return await self._driver.run(self._front.classify(item, labels, ClassifyOptions(template), deadline_s))

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
