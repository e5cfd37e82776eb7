"""The engine in this process, without a server: the same runtime that serves requests."""

from __future__ import annotations

from collections.abc import Sequence

from service.bulk.embedder import Identity
from service.bulk.entry import Failure
from service.bulk.limits import InputLimits, Window
from service.bulk.row import Answer
from service.context import Stages
from service.errors import RequestError
from service.repository import EMBEDDING_MODELS
from service.runtime import Runtime
from service.settings import Settings
from service.usecases.embeddable import Embedded
from service.usecases.items import MediaItem

BATCHES_AHEAD = 4
"""Rows under way, in batches of the largest size: one runs, one waits, the others are being read and decoded."""
CALL_BYTES = 1
"""One row in each call: the batcher behind puts rows of all calls together."""


class LocalEmbedder:
    """Embeds with a runtime of its own.

    Raises (on creation):
        RepositoryError: the model repository can't be served.
    """

    def __init__(self, settings: Settings, runtime: Runtime | None = None) -> None:
        self._settings, self._runtime = settings, runtime or Runtime(settings)

    def identity(self) -> Identity:
        """What answers, known without loading a model."""
        limits = InputLimits.of(self._settings.model_dump(), self._settings.max_body_bytes)
        space = self._runtime.space
        return Identity(self._settings.model_name, space.fingerprint, space.dimensions, limits)

    async def start(self) -> Identity:
        """As `BulkEmbedder.start`. An engine elsewhere may not be ready yet: the job has patience."""
        await self._runtime.start()
        return self.identity()

    def window(self) -> Window:
        """As `BulkEmbedder.window`."""
        largest = max(
            (self._runtime.models[name].max_batch_size for name in EMBEDDING_MODELS if name in self._runtime.models),
            default=1,
        )
        row_bytes = max(map(self._runtime.pipeline.preprocessor.row_bytes, EMBEDDING_MODELS))
        fitting = max(1, self._settings.max_pending_bytes // max(1, row_bytes))
        calls = min(BATCHES_AHEAD * largest, self._settings.max_queue, fitting)
        return Window(calls, 1, CALL_BYTES, self._settings.max_pending_bytes)

    async def embed(self, items: Sequence[MediaItem]) -> list[Answer | Failure]:
        """As `BulkEmbedder.embed`."""
        try:
            outcomes = await self._runtime.embedder.embed_each(items, Stages())
        except RequestError as error:  # the repository lacks the model
            return [Failure(error.code, error.detail)] * len(items)
        return [
            Answer(outcome.vector, outcome.notes[0])
            if isinstance(outcome, Embedded)
            else Failure(outcome.code, outcome.detail)
            for outcome in outcomes
        ]

    async def close(self) -> None:
        """As `BulkEmbedder.close`."""
        await self._runtime.close()
