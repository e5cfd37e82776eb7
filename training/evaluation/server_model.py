"""A running server, asked through the client library, several requests at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from onepeace_client import (
    Audio,
    Client,
    Image,
    InvalidInput,
    ModelNotServed,
    OnePeaceError,
    Options,
    RequestRefused,
    RetryPolicy,
)
from training.evaluation.dataset import MediaKind, portions
from training.evaluation.model import Corners, ModelError, NotServed, PhrasesInPicture, Refusal, Vector

T = TypeVar("T")
BATCH_ITEMS = 32
"""In one call: few enough that progress shows."""
CALLS_AT_ONCE = 4
OPENING_S = 5.0
PATIENT = Options(
    timeout_s=120.0,
    retries=RetryPolicy(attempts=8, first_wait_s=0.25, longest_wait_s=8.0, reserve=100.0, refill=1.0),
)
EVERY_LABEL = 10_000


class ServerModel:
    """Asks `onepeace serve` at `url`, `http://…` or `grpc://…`, with a key if there is one.

    Raises (on creation):
        ModelError: nobody answers there, or not as this service does.
    """

    def __init__(self, url: str, api_key: str | None = None) -> None:
        try:
            self._client = Client(url, replace(PATIENT, api_key=api_key))
        except ValueError as error:
            raise ModelError(f"--server, ONEPEACE_API_KEY: {error}") from error
        self._url = url
        self._pool = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="call")
        try:
            self._info = dict(self._client.info(deadline_s=OPENING_S).whole)
        except OnePeaceError as error:
            self.close()
            raise ModelError(f"{url}: {error}") from error

    def info(self) -> dict[str, Any]:
        """As `EvaluatedModel.info`."""
        return self._info

    def embed_texts(self, texts: Sequence[str]) -> Iterator[Vector | Refusal]:
        """As `EvaluatedModel.embed_texts`."""
        return self._embed(texts)

    def embed_files(self, kind: MediaKind, paths: Sequence[Path]) -> Iterator[Vector | Refusal]:
        """As `EvaluatedModel.embed_files`."""
        return self._embed([Image(path) if kind == "image" else Audio(path) for path in paths])

    def ground(self, pictures: Sequence[PhrasesInPicture]) -> Iterator[Corners | Refusal]:
        """As `EvaluatedModel.ground`."""
        return self._in_order(partial(self._of_one, partial(self._ground, picture)) for picture in pictures)

    def label_sounds(self, paths: Sequence[Path]) -> Iterator[dict[str, float] | Refusal]:
        """As `EvaluatedModel.label_sounds`."""
        return self._in_order(partial(self._of_one, partial(self._label, path)) for path in paths)

    def close(self) -> None:
        """Let go of connections and threads; calls that have not begun are dropped."""
        self._pool.shutdown(cancel_futures=True)
        self._client.close()

    def _in_order(self, jobs: Iterator[Callable[[], T]]) -> Iterator[T]:
        """Results in the order of the jobs, few of which are begun before they are wanted."""
        begun: deque[Future[T]] = deque()
        for job in jobs:
            begun.append(self._pool.submit(job))
            if len(begun) > CALLS_AT_ONCE:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()

    def _embed(self, items: Sequence[str] | Sequence[Image | Audio]) -> Iterator[Vector | Refusal]:
        for answers in self._in_order(partial(self._embed_some, some) for some in portions(items, BATCH_ITEMS)):
            yield from answers

    def _embed_some(self, items: Sequence[str | Image | Audio]) -> list[Vector | Refusal]:
        with self._failures_as_ours():
            answer = self._client.embed(items, on_error="report")
        return [
            Refusal(answer.errors[number].detail) if number in answer.errors else answer.vectors[number]
            for number in range(len(items))
        ]

    def _ground(self, picture: PhrasesInPicture) -> Corners:
        return self._client.ground(picture.path, picture.phrases).boxes_normalized

    def _label(self, path: Path) -> dict[str, float]:
        return dict(self._client.audio_labels(path, top_k=EVERY_LABEL))

    def _of_one(self, ask: Callable[[], T]) -> T | Refusal:
        """What a file gives, or why it can't be used."""
        with self._failures_as_ours():
            try:
                return ask()
            except OSError as error:
                return Refusal(error.strerror or "can't be read")
            except InvalidInput as error:
                return Refusal(error.errors[0].detail if error.errors else error.detail)
            except RequestRefused as error:
                if error.code != "body_too_large":
                    raise
                return Refusal(error.detail)

    @contextmanager
    def _failures_as_ours(self) -> Iterator[None]:
        try:
            yield
        except ModelNotServed as error:
            raise NotServed(error.detail) from error
        except (OnePeaceError, ValueError) as error:
            raise ModelError(f"{self._url}: {error}") from error
