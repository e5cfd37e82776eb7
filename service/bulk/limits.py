"""What one input may be, and how much of them may be in memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputLimits:
    """Checked before a file is read; the engine or the service checks what only the content tells."""

    max_file_bytes: int
    max_text_bytes: int


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
