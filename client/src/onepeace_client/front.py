"""What `Client` and `AsyncClient` share: the address, and calls whose arguments are checked before anything runs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from onepeace_client.answers import Boxes, Embeddings, Info, Labels, Similarities
from onepeace_client.calls import Calls
from onepeace_client.encodings import Encoding, check_encodings
from onepeace_client.exchange import Exchange
from onepeace_client.items import (
    Fused,
    Vector,
    check_audio,
    check_image,
    check_item,
    check_items,
    check_list,
    check_texts,
)
from onepeace_client.profile import Profile
from onepeace_client.retries import RetryPolicy
from onepeace_client.script import Deadline, Script
from onepeace_client.stream import Stream
from onepeace_client.tls import Tls
from onepeace_client.wire import ClassifyOptions, EmbedOptions, Windows, Wire

OnError = Literal["fail", "report"]
KEY = re.compile(r"[!-~]{1,4096}")


@dataclass(frozen=True, slots=True)
class Options:
    """How a client behaves.

    Attributes:
        deadline_s: for a whole call, with all its requests and retries, unless the call says otherwise; None: no end.
        timeout_s: for one request, if the deadline does not come first.
        concurrency: requests under way at once, of those into which calls are split.
        headers: sent with each request (gRPC: metadata).
        api_key: sent with each request, where the server wants one; never shown.
        tls: for `https://` and `grpcs://` with certificates that the system does not know.
    """

    deadline_s: float | None = None
    timeout_s: float = 60.0
    concurrency: int = 3
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_key: str | None = field(default=None, repr=False)
    tls: Tls | None = None

    def __post_init__(self) -> None:
        if self.concurrency < 1 or not self.timeout_s > 0:
            raise ValueError("concurrency and timeout_s must be positive")
        if self.api_key is not None and not KEY.fullmatch(self.api_key):
            raise ValueError("api_key must be one word of ASCII letters, digits and signs")  # and is not shown here

    def all_headers(self) -> dict[str, str]:
        """What is sent with each request."""
        key = {} if self.api_key is None else {"authorization": f"Bearer {self.api_key}"}
        return {**key, **{name.lower(): value for name, value in self.headers.items()}}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is: `http://host:port`, `https://…`, `grpc://host:port` or `grpcs://…` (over TLS)."""

    scheme: str
    url: str
    target: str

    @property
    def is_grpc(self) -> bool:
        """Whether it speaks gRPC."""
        return self.scheme.startswith("grpc")


def parse_address(url: str) -> Address:
    """Take a URL apart.

    Raises:
        ValueError: it is none of the four kinds.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "grpc", "grpcs") or not parts.hostname:
        raise ValueError(f"the address must look like http://host:8000 or grpc://host:50051, not {url!r}")
    return Address(parts.scheme, url.rstrip("/"), parts.netloc)


def embed_options(
    encoding: Encoding | Iterable[Encoding], dimensions: int | None, windows: Windows | None, on_error: OnError
) -> EmbedOptions:
    """How to embed.

    Raises:
        ValueError: `encoding` or `on_error` is none.
    """
    if on_error not in ("fail", "report"):
        raise ValueError(f"on_error must be 'fail' or 'report', not {on_error!r}")
    return EmbedOptions(on_error, dimensions, windows, check_encodings(encoding))


def classify_options(
    templates: str | Iterable[str] | None, multi_label: bool, threshold: float | None
) -> ClassifyOptions:
    """How to classify.

    Raises:
        TypeError, ValueError: `templates` are none.
    """
    several = [templates] if isinstance(templates, str) else templates
    return ClassifyOptions(() if several is None else tuple(check_texts(several, "templates")), multi_label, threshold)


class Front:
    """Checks arguments and makes the scripts."""

    def __init__(self, wire: Wire, options: Options) -> None:
        self._exchange = Exchange(wire, options.retries, options.timeout_s)
        self._calls = Calls(wire, self._exchange)
        self._deadline_s = options.deadline_s

    def embed(self, items: Iterable[Any], options: EmbedOptions, deadline_s: float | None) -> Script[Embeddings]:
        """Vectors."""
        return self._calls.embed(check_items(items, "items"), options, self._deadline(deadline_s))

    def embed_stream(self, items: Iterable[Any] | AsyncIterable[Any], options: EmbedOptions) -> Script[Stream]:
        """A stream, for `items`, which are not read yet."""
        if not isinstance(items, AsyncIterable):
            check_list(items, "items")
        return self._calls.stream(options)

    def similarity(
        self, queries: Iterable[Any], candidates: Iterable[Any], probabilities: bool, deadline_s: float | None
    ) -> Script[Similarities]:
        """Cosines."""
        asked = check_items(queries, "queries", (Fused, Vector))
        offered = check_items(candidates, "candidates", (Fused, Vector))
        return self._calls.similarity(asked, offered, probabilities, self._deadline(deadline_s))

    def ground(self, image: Any, phrases: Iterable[str], scores: bool, deadline_s: float | None) -> Script[Boxes]:
        """Boxes."""
        source, texts = check_image(image, "image"), check_texts(phrases, "phrases")
        return self._calls.ground(source, texts, scores, self._deadline(deadline_s))

    def classify(
        self, item: Any, labels: Iterable[str], options: ClassifyOptions, deadline_s: float | None
    ) -> Script[Labels]:
        """The caller's labels."""
        source, texts = check_item(item, "item", (Fused,)), check_texts(labels, "labels")
        return self._calls.classify(source, texts, options, self._deadline(deadline_s))

    def audio_labels(self, clip: Any, top_k: int, windows: Windows | None, deadline_s: float | None) -> Script[Labels]:
        """The trained head's labels."""
        return self._calls.audio_labels(check_audio(clip, "clip"), top_k, windows, self._deadline(deadline_s))

    def info(self, deadline_s: float | None) -> Script[Info]:
        """What is served."""
        return self._calls.info(self._deadline(deadline_s))

    def profile(self) -> Profile:
        """Where the time went."""
        return self._exchange.recorder.profile()

    def _deadline(self, deadline_s: float | None) -> Deadline:
        return Deadline(self._deadline_s if deadline_s is None else deadline_s)
