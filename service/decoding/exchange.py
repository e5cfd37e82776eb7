"""How the service and a worker hand each other large things: a file in memory, and a socket that says what is in it.

The file holds a head (JSON) and a body (bytes); a message of two numbers tells their lengths. Only one side works with
the file at a time: who has sent a message waits for the other's. Neither side maps it, so that a file which is shorter
than the message says is an error, not a SIGBUS; and what a worker sends is never unpickled.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

_LENGTHS = struct.Struct("<QQ")
Lengths = tuple[int, int]
"""Bytes of the head and of the body."""
Body = bytes | npt.NDArray[Any]


class BrokenExchange(Exception):
    """The other side wrote what it must not."""


def write(file: int, head: Mapping[str, Any], body: Body) -> Lengths:
    """Put a head and a body into the file.

    Raises:
        OSError: the file can't hold them.
    """
    start, data = orjson.dumps(head), body if isinstance(body, bytes) else body.data
    size = memoryview(data).nbytes
    if os.pwritev(file, [start, data], 0) != len(start) + size:
        raise OSError("the file in memory took only a part")
    return len(start), size


def read(file: int, lengths: Lengths) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:
    """The head and the bytes of the body, [n].

    Raises:
        BrokenExchange: they are not there.
    """
    if sum(lengths) > os.fstat(file).st_size:
        raise BrokenExchange("the file is shorter than it should be")
    start, body = bytearray(lengths[0]), np.empty(lengths[1], np.uint8)
    if os.preadv(file, [start, body.data], 0) != sum(lengths):
        raise BrokenExchange("the file is shorter than it should be")
    try:
        head = orjson.loads(start)
    except orjson.JSONDecodeError as error:
        raise BrokenExchange("the head is not JSON") from error
    if not isinstance(head, dict):
        raise BrokenExchange("the head is not an object")
    return head, body


def send(channel: socket.socket, lengths: Lengths) -> None:
    """Say what is in the file.

    Raises:
        OSError: the other side is gone.
    """
    channel.send(_LENGTHS.pack(*lengths))


def receive(channel: socket.socket) -> Lengths | None:
    """What the other side put into the file; None when it has gone.

    Raises:
        BrokenExchange: the message is not one.
        OSError: the other side is gone, and left the last message unread.
    """
    message = channel.recv(_LENGTHS.size + 1)
    if not message:
        return None
    if len(message) != _LENGTHS.size:
        raise BrokenExchange("a message of a wrong length")
    head, body = _LENGTHS.unpack(message)
    return head, body
