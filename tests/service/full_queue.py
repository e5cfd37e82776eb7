"""A server that has no room for anyone, and requests that it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server

FULL = """
from service.admission import Admission
from service.errors import QueueFull
def refuse(self):
    raise QueueFull("the queue is full", limit=1, actual=1)
Admission.check_room = refuse
"""
BODY = json.dumps({"inputs": [{"text": "a cow"}]}).encode()
JSON = {"content-type": "application/json"}
HEAD = b"POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


@contextmanager
def full_server(before: str = "", harmed: bool = False, **settings: object) -> Iterator[LiveServer]:
    """As `live_server`."""
    with live_server(REPOSITORY, before=FULL + before, harmed=harmed, **settings) as running:
        yield running


def post(body: bytes = BODY) -> bytes:
    """A whole request."""
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
