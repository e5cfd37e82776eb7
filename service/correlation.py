"""What ties a request to its caller's logs and traces: validated when it comes in, so that it can go out again."""

from __future__ import annotations

import os
import re

REQUEST_ID = re.compile(rb"[A-Za-z0-9._\-]{1,128}")
TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def request_id(given: bytes | None) -> str:
    """The caller's id for the request, or a new one if there is none or it is malformed."""
    return given.decode() if given is not None and REQUEST_ID.fullmatch(given) else os.urandom(16).hex()


def valid_traceparent(given: bytes | None) -> bytes | None:
    """The W3C trace context that came, None if it is malformed."""
    return given if given is not None and TRACEPARENT.fullmatch(given) else None
