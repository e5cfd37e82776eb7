"""What one input may be, and how much of them may be in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class InputLimits:
    """The first two are checked before a file is read, the others by the engine or the service."""

    max_file_bytes: int
    max_text_bytes: int
    max_pixels: int
    max_audio_seconds: float

    @classmethod
    def of(cls, limits: Mapping[str, Any], max_file_bytes: int) -> InputLimits:
        """Those of the settings, or of `/info`.

        Raises:
            KeyError: one is missing.
        """
        return cls(
            max_file_bytes,
            int(limits["max_text_bytes"]),
            int(limits["max_pixels"]),
            float(limits["max_audio_seconds"]),
        )


@dataclass(frozen=True, slots=True)
class Window:
    """How much is under way at once.

    Attributes:
        calls: calls of the embedder at once.
        batch_items: rows in one call at most.
        batch_bytes: bytes of content in one call at most; one row always may.
        max_bytes: bytes of content in memory; one row always may.
    """

    calls: int
    batch_items: int
    batch_bytes: int
    max_bytes: int
