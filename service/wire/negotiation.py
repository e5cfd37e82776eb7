"""What a caller would like to get: `Accept` and `Accept-Encoding` (RFC 9110, 12.5)."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

MAX_HEADER_BYTES = 1024
"""Of a list of preferences; browsers send some 150."""


def preferred(header: bytes | None, offered: Sequence[str], default: str) -> str:
    """Which of `offered` and `default` the caller likes best; `default` where neither is named.

    Only names count, no wildcards: what a caller did not ask for by name, it may not understand.
    """
    if not header or len(header) > MAX_HEADER_BYTES:
        return default
    best, best_quality = default, 0.0
    for part in header.decode("latin-1").lower().split(","):
        name, *parameters = (step.strip() for step in part.split(";"))
        quality = _quality(parameters)
        if (name in offered or name == default) and quality > best_quality:
            best, best_quality = name, quality
    return best


def varied(response: Response) -> Response:
    """The answer, marked as one that another `Accept` would have changed (RFC 9110, 12.5.5)."""
    response.headers.add_vary_header("accept")
    return response


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                return 0.0
    return 1.0
