"""What is taken is given back, and what does not fit is refused whole."""

from __future__ import annotations

import pytest

from service.admission import Admission
from service.context import RequestContext
from service.errors import QueueFull


def test_items_and_bytes_are_bounded_and_given_back() -> None:
    admission = Admission(max_items=3, max_bytes=100)
    first, second = RequestContext("a", {}, 0.0), RequestContext("b", {}, 0.0)
    admission.take_items(first, 2)
    admission.take_bytes(first, 80)
    with pytest.raises(QueueFull) as caught:
        admission.take_items(second, 2)
    assert (caught.value.limit, caught.value.actual) == (3, 2)
    with pytest.raises(QueueFull):
        admission.take_bytes(second, 21)
    assert (second.held_items, second.held_bytes) == (0, 0)
    admission.release(first)
    admission.release(first)
    assert (admission.items, admission.bytes) == (0, 0)
    admission.check_room()
    admission.take_items(second, 3)
    with pytest.raises(QueueFull):
        admission.check_room()
    admission.take_bytes(second, 100)
