"""What a worker may answer, and what is made of nonsense."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from service.decoding import exchange, messages
from service.decoding.exchange import BrokenExchange
from service.decoding.messages import DecoderBug
from service.decoding.orders import ImageOrder

ORDER = ImageOrder(b"", 2, 100)
PIXELS = np.arange(12, dtype=np.uint8)


@pytest.fixture
def file() -> Iterator[int]:
    opened = os.memfd_create("test")
    yield opened
    os.close(opened)


def test_a_head_and_a_body_come_back(file: int) -> None:
    lengths = exchange.write(file, {"a": [1, 2.5, None, "ü"]}, np.float32([[1, 2], [3, 4]]))
    head, body = exchange.read(file, lengths)
    assert head == {"a": [1, 2.5, None, "ü"]}
    np.testing.assert_array_equal(body.view(np.float32), [1, 2, 3, 4])


def test_a_shorter_message_does_not_show_the_rest_of_a_longer_one(file: int) -> None:
    exchange.write(file, {"long": "x" * 100}, b"y" * 100)
    head, body = exchange.read(file, exchange.write(file, {}, b"z"))
    assert (head, body.tobytes()) == ({}, b"z")


@pytest.mark.parametrize("lengths", [(2, 1 << 60), (1 << 63, 1 << 63), (3, 0), (2, 9)])
def test_lengths_beyond_the_file_are_an_error(file: int, lengths: tuple[int, int]) -> None:
    exchange.write(file, {}, b"")
    with pytest.raises(BrokenExchange):
        exchange.read(file, lengths)


@pytest.mark.parametrize("head", [b"", b"{", b"[1]", b"\xff", b"null"])
def test_a_head_that_is_no_object_is_an_error(file: int, head: bytes) -> None:
    os.pwrite(file, head, 0)
    with pytest.raises(BrokenExchange):
        exchange.read(file, (len(head), 0))


@pytest.mark.parametrize("message", [b"x", b"x" * 15, b"x" * 17, b"x" * 500])
def test_a_message_of_another_length_is_an_error(message: bytes) -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        far.send(message)
        with pytest.raises(BrokenExchange):
            exchange.receive(near)


def test_an_end_is_told_from_a_message_that_was_not_read() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near:
        far.close()
        assert exchange.receive(near) is None
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near:
        exchange.send(near, (1, 2))
        far.close()
        with pytest.raises(ConnectionResetError):
            exchange.receive(near)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ({"result": {"width": 1, "height": 1}}, PIXELS[:11]),
        ({"result": {"width": 1}}, PIXELS),
        ({"result": {"width": 1, "height": 1, "more": 1}}, PIXELS),
        ({"result": None}, PIXELS),
        ({"error": "internal_error", "detail": "", "limit": None, "actual": None}, PIXELS),
        ({"error": ["unreadable_image"]}, PIXELS),
        ({}, PIXELS),
    ],
)
def test_an_answer_that_does_not_fit_its_order_is_an_error(head: dict[str, object], body: np.ndarray) -> None:
    with pytest.raises(BrokenExchange):
        messages.read_outcome(ORDER, head, body)


def test_a_bug_is_told_with_its_traceback() -> None:
    with pytest.raises(DecoderBug, match="line 7"):
        messages.read_outcome(ORDER, {"bug": "line 7"}, PIXELS)
