"""A running server, asked over HTTP: batches within its limits, several requests at once, patience when it is full."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np

from training.evaluation.dataset import MediaKind, portions
from training.evaluation.model import Corners, ModelError, NotServed, PhrasesInPicture, Refusal, Vector

T = TypeVar("T")
BATCH_ITEMS = 32
REQUESTS_AT_ONCE = 4
TIMEOUT_S = 120.0
TRIES = 8
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 8.0
FORM_BYTES_PER_FILE = 512
"""Room for one part's headers in multipart."""
EVERY_LABEL = 10_000
CORNERS = ("x0", "y0", "x1", "y1")


class ServerModel:
    """Asks `onepeace serve` at `url`, with a key if there is one; `transport` takes the network's place in tests.

    Raises (on creation):
        ModelError: nobody answers there, or not as this service does.
    """

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None, api_key: str = "") -> None:
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        try:
            self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S, transport=transport, headers=headers)
        except httpx.InvalidURL as error:
            raise ModelError(f"'{url}' is not the address of a server: {error}") from error
        self._pool = ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="request")
        try:
            self._info = self._ask(partial(self._client.get, "/info"))
            limits = self._info["limits"]
            self._max_items, self._max_bytes = int(limits["max_items"]), int(limits["max_body_bytes"])
        except (KeyError, TypeError) as error:
            self.close()
            raise ModelError(f"{url} does not answer as this service does: /info lacks {error}") from error
        except ModelError:
            self.close()
            raise
        self._batch_items = min(BATCH_ITEMS, self._max_items)

    def info(self) -> dict[str, Any]:
        """As `EvaluatedModel.info`."""
        return self._info

    def embed_texts(self, texts: Sequence[str]) -> Iterator[Vector | Refusal]:
        """As `EvaluatedModel.embed_texts`."""
        jobs = (partial(self._embed_texts, some) for some in portions(texts, self._batch_items))
        for answers in self._in_order(jobs):
            yield from answers

    def embed_files(self, kind: MediaKind, paths: Sequence[Path]) -> Iterator[Vector | Refusal]:
        """As `EvaluatedModel.embed_files`."""
        for answers in self._in_order(partial(self._embed_files, kind, some) for some in self._file_batches(paths)):
            yield from answers

    def ground(self, pictures: Sequence[PhrasesInPicture]) -> Iterator[Corners | Refusal]:
        """As `EvaluatedModel.ground`."""
        yield from self._in_order(partial(self._ground, picture) for picture in pictures)

    def label_sounds(self, paths: Sequence[Path]) -> Iterator[dict[str, float] | Refusal]:
        """As `EvaluatedModel.label_sounds`."""
        yield from self._in_order(partial(self._label, path) for path in paths)

    def close(self) -> None:
        """Let go of connections and threads; requests that have not begun are dropped."""
        self._pool.shutdown(cancel_futures=True)
        self._client.close()

    def _in_order(self, jobs: Iterator[Callable[[], T]]) -> Iterator[T]:
        """Results in the order of the jobs, few of which are begun before they are wanted."""
        begun: deque[Future[T]] = deque()
        for job in jobs:
            begun.append(self._pool.submit(job))
            if len(begun) > REQUESTS_AT_ONCE:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()

    def _file_batches(self, paths: Sequence[Path]) -> Iterator[Sequence[Path]]:
        batch: list[Path] = []
        size = 0
        for path in paths:
            more = _size(path) + FORM_BYTES_PER_FILE
            if batch and (len(batch) == self._batch_items or size + more > self._max_bytes):
                yield batch
                batch, size = [], 0
            batch.append(path)
            size += more
        if batch:
            yield batch

    def _embed_texts(self, texts: Sequence[str]) -> list[Vector | Refusal]:
        try:
            body = {"inputs": [{"text": text} for text in texts], "on_error": "report"}
            return _vectors(self._ask(partial(self._client.post, "/embed", json=body)))
        except TooSlow:
            return self._in_halves(self._embed_texts, texts)

    def _embed_files(self, kind: MediaKind, paths: Sequence[Path]) -> list[Vector | Refusal]:
        files = [self._read(path) for path in paths]
        parts = [(kind, ("file", data)) for data in files if isinstance(data, bytes)]
        try:
            form = [("on_error", (None, b"report")), *parts]
            answers = iter(_vectors(self._ask(partial(self._client.post, "/embed", files=form))) if parts else [])
        except TooSlow:
            return self._in_halves(partial(self._embed_files, kind), paths)
        return [data if isinstance(data, Refusal) else next(answers) for data in files]

    def _in_halves(self, embed: Callable[[Sequence[Any]], list[Vector | Refusal]], items: Sequence[Any]) -> list[Any]:
        """Ask for less at once, because the server's deadline was too short for so many."""
        if len(items) == 1:
            raise ModelError(f"the server needs longer for one input than its deadline_ms: {items[0]}")
        middle = len(items) // 2
        return embed(items[:middle]) + embed(items[middle:])

    def _ground(self, picture: PhrasesInPicture) -> Corners | Refusal:
        data = self._read(picture.path)
        if isinstance(data, Refusal):
            return data
        boxes: list[list[float]] = []
        for phrases in portions(picture.phrases, self._max_items):
            form = [("image", ("file", data)), *(("phrase", (None, phrase.encode())) for phrase in phrases)]
            try:
                answer = self._ask(partial(self._client.post, "/ground", files=form))
            except Refused as error:
                return Refusal(str(error))
            boxes += [[box["box_normalized"][corner] for corner in CORNERS] for box in answer["boxes"]]
        return np.asarray(boxes, dtype=np.float64)

    def _label(self, path: Path) -> dict[str, float] | Refusal:
        data = self._read(path)
        if isinstance(data, Refusal):
            return data
        form = [("audio", ("file", data)), ("top_k", (None, str(EVERY_LABEL).encode()))]
        try:
            answer = self._ask(partial(self._client.post, "/audio/labels", files=form))
        except Refused as error:
            return Refusal(str(error))
        return {label["label"]: label["probability"] for label in answer["labels"]}

    def _read(self, path: Path) -> bytes | Refusal:
        try:
            data = path.read_bytes()
        except OSError as error:
            return Refusal(error.strerror or "can't be read")
        if len(data) + 4 * FORM_BYTES_PER_FILE > self._max_bytes:
            return Refusal(f"{len(data)} bytes are more than the server's max_body_bytes allows")
        return data

    def _ask(self, send: Callable[[], httpx.Response]) -> dict[str, Any]:
        """Send until the server has room, at most `TRIES` times.

        Raises:
            Refused, TooSlow, NotServed, ModelError: what the last answer meant.
        """
        pause_s = FIRST_PAUSE_S
        for number in range(TRIES):
            try:
                response = send()
            except httpx.TransportError as error:
                raise ModelError(f"no answer from {self._client.base_url}: {error or type(error).__name__}") from error
            if response.status_code not in (429, 503) or number == TRIES - 1:
                break
            time.sleep(max(pause_s, _retry_after_s(response)))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return _answer(response)


class Refused(ModelError):
    """The server says that an input is wrong."""


class TooSlow(ModelError):
    """The server's deadline passed."""


def _answer(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    if response.is_success and body:
        return body
    errors = body.get("errors") or [{}]
    detail = str(errors[0].get("detail") or body.get("detail") or "no answer of this service")
    if response.status_code == 422:
        raise Refused(detail)
    if response.status_code == 504:
        raise TooSlow(detail)
    if body.get("code") == "model_not_served":
        raise NotServed(detail)
    raise ModelError(f"{response.request.method} {response.request.url}: {response.status_code}: {detail}")


def _vectors(answer: dict[str, Any]) -> list[Vector | Refusal]:
    return [
        Refusal(str(datum["error"]["detail"])) if "error" in datum else np.asarray(datum["embedding"], np.float32)
        for datum in answer["data"]
    ]


def _retry_after_s(response: httpx.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return min(float(value), LONGEST_PAUSE_S) if value.isdecimal() else 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # `_read` will say so
