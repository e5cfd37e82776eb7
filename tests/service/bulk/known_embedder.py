"""An embedder without a model, whose vectors tell which item they belong to; slow, busy or broken as told."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from service.bulk.embedder import Identity
from service.bulk.entry import Failure
from service.bulk.limits import InputLimits, Window
from service.bulk.row import Answer
from service.errors import QueueFull
from service.media.payload import read_payload
from service.usecases.items import MediaItem, TextItem

DIMENSIONS = 8
LIMITS = InputLimits(32 << 20, 32 << 10, 50_000_000, 600.0)
IDENTITY = Identity("known", "f" * 64, DIMENSIONS, LIMITS)


def known_vector(content: str | bytes) -> np.ndarray:
    """A unit vector, float32 [8], that depends on the content alone."""
    data = content.encode() if isinstance(content, str) else content
    values = np.frombuffer(hashlib.sha256(data).digest(), np.uint32).astype(np.float64)
    return (values / np.linalg.norm(values)).astype(np.float32)


class KnownEmbedder:
    """Implements `BulkEmbedder`; lives in the tests' own processes.

    Attributes:
        asked: contents in the order in which they came.
        most: items that were under way at once.
    """

    def __init__(self, window: Window, *, pause_s: float = 0.0, busy_first: int = 0, log: Path | None = None) -> None:
        self._window, self._pause_s, self._busy_first, self._log = window, pause_s, busy_first, log
        self.asked: list[str | bytes] = []
        self.most = self._under_way = 0

    async def start(self) -> Identity:
        return IDENTITY

    def window(self) -> Window:
        return self._window

    async def embed(self, items: Sequence[MediaItem]) -> list[Answer | Failure]:
        if self._busy_first:
            self._busy_first -= 1
            raise QueueFull("the queue is full")
        self._under_way += len(items)
        self.most = max(self.most, self._under_way)
        contents = [item.text if isinstance(item, TextItem) else read_payload(item.payload) for item in items]
        self.asked += contents if self._log is None else []
        for content in contents:
            self._write(content)
        await asyncio.sleep(self._pause_s)
        self._under_way -= len(items)
        return [Answer(known_vector(content), {"tokens": 1, "truncated": False}) for content in contents]

    def _write(self, content: str | bytes) -> None:
        if self._log is not None and isinstance(content, str):
            descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(descriptor, content.encode() + b"\n")
            os.close(descriptor)

    async def close(self) -> None:
        return None
