"""What ties a request to its caller's logs and traces: validated when it comes in, so that it can go out again."""

from __future__ import annotations

import random
import re

REQUEST_ID = re.compile(rb"[A-Za-z0-9._\-]{1,128}")
TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def request_id(given: bytes | None) -> str:
    """The caller's id for the request, or a new one if there is none or it is malformed."""
    return given.decode() if given is not None and REQUEST_ID.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """128 random bits in hex. It tells requests apart and guards nothing: the system's own source costs a call."""
    return f"{random.getrandbits(128):032x}"


def valid_traceparent(given: bytes | None) -> bytes | None:
    """The W3C trace context that came, None if it is malformed."""
    return given if given is not None and TRACEPARENT.fullmatch(given) else None
