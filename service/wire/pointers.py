"""JSON pointers (RFC 6901) to what was wrong."""

from __future__ import annotations

MAX_STEP = 64  # characters; a caller chose the name


def escape(step: str) -> str:
    """One step of a pointer."""
    return step[:MAX_STEP].encode("utf-8", "replace").decode().replace("~", "~0").replace("/", "~1")
