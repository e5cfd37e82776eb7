"""Who makes vectors of items: the engine in this process, or a service elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from service.bulk.entry import Failure
from service.bulk.limits import InputLimits, Window
from service.bulk.row import Answer
from service.usecases.items import MediaItem


@dataclass(frozen=True, slots=True)
class Identity:
    """What answers: vectors of equal fingerprints compare."""

    model: str
    fingerprint: str
    dimensions: int
    limits: InputLimits


class BulkEmbedder(Protocol):
    """Embeds items, many calls at once. Lives on one event loop."""

    async def start(self) -> Identity:
        """Be ready to answer.

        Raises:
            EngineGone: nobody answers, or not as this service does.
        """

    def window(self) -> Window:
        """How much to have under way; valid after `start`."""

    async def embed(self, items: Sequence[MediaItem]) -> list[Answer | Failure]:
        """One answer for each item, in order.

        Raises:
            Unavailable: not now; the same call may be tried again.
            EngineGone: never.
        """

    async def close(self) -> None:
        """Let go of threads, models and connections."""
