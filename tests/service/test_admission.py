"""What is taken is given back, what does not fit is refused whole, and streams wait without holding anything."""

from __future__ import annotations

import asyncio

import pytest

from service.admission import Admission, WaitingRoom
from service.context import RequestContext
from service.errors import InvalidRequest, QueueFull


def holder(name: str = "a") -> RequestContext:
    return RequestContext(name, {}, 0.0)


def waiting_room(admission: Admission, turn: asyncio.Lock, taken: list[str], name: str) -> WaitingRoom:
    return WaitingRoom(admission, holder(name), turn, lambda: taken.append(name))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_items_and_bytes_are_bounded_and_given_back() -> None:
    admission, first, second = Admission(max_items=3, max_bytes=100), holder(), holder()
    admission.take(first, items=2)
    admission.take(first, num_bytes=80)
    with pytest.raises(QueueFull) as caught:
        admission.take(second, items=2)
    assert (caught.value.limit, caught.value.actual) == (3, 2)
    with pytest.raises(QueueFull) as caught:
        admission.take(second, items=1, num_bytes=21)
    assert (caught.value.limit, caught.value.actual) == (100, 80)
    assert (second.held_items, second.held_bytes) == (0, 0)
    admission.release(first)
    admission.release(first)
    assert (admission.items, admission.bytes) == (0, 0)
    admission.check_room()
    admission.take(second, items=3, num_bytes=100)
    with pytest.raises(QueueFull):
        admission.check_room()
    admission.give(second, items=1, num_bytes=40)
    assert (admission.items, admission.bytes) == (second.held_items, second.held_bytes) == (2, 60)


@pytest.mark.parametrize(
    ("held", "shared", "more", "limit", "actual"),
    [
        ({"items": 2}, 0, {"items": 2}, 3, 4),
        ({"num_bytes": 60}, 0, {"num_bytes": 41}, 100, 101),
        ({"num_bytes": 60}, 30, {"num_bytes": 11}, 100, 101),
    ],
)
def test_what_never_fits_is_the_requests_own_fault_however_full_it_is(
    held: dict[str, int], shared: int, more: dict[str, int], limit: int, actual: int
) -> None:
    admission, own = Admission(max_items=3, max_bytes=100), holder()
    admission.take(holder("other"), items=1, num_bytes=1)
    admission.take(own, **held)
    own.shared_bytes = shared
    with pytest.raises(InvalidRequest) as caught:
        admission.take(own, **more)
    (error,) = caught.value.errors
    assert (error.code, error.limit, error.actual) == ("too_many_items", limit, actual)


async def test_who_waits_comes_in_turn_when_there_is_room() -> None:
    admission, turn, taken = Admission(max_items=3, max_bytes=100), asyncio.Lock(), list[str]()
    running = holder()
    admission.take(running, items=3)
    rooms = {name: waiting_room(admission, turn, taken, name) for name in ("large", "small")}
    tasks = [asyncio.create_task(rooms["large"].take(items=2)), asyncio.create_task(rooms["small"].take(items=1))]
    await settle()
    admission.give(running, items=1)
    await settle()
    assert taken == [], "the small one must not overtake the large one"
    admission.give(running, items=1)
    await asyncio.wait_for(tasks[0], 5)
    admission.give(running, items=1)
    await asyncio.wait_for(tasks[1], 5)
    assert taken == ["large", "small"]
    assert admission.items == 3


async def test_who_waits_for_more_holds_nothing_meanwhile() -> None:
    """Two that hold a half each, and want the other half, too."""
    admission, turn, taken = Admission(max_items=2, max_bytes=100), asyncio.Lock(), list[str]()
    rooms = [waiting_room(admission, turn, taken, name) for name in ("a", "b")]
    for room in rooms:
        await room.take(items=1, num_bytes=50)

    async def run(room: WaitingRoom) -> None:
        await room.take(items=1, num_bytes=50)
        assert (admission.items, admission.bytes) == (2, 100)
        await asyncio.sleep(0)
        admission.release(room.holder)

    await asyncio.wait_for(asyncio.gather(*map(run, rooms)), 5)
    assert (admission.items, admission.bytes) == (0, 0)


async def test_who_never_fits_does_not_wait() -> None:
    admission, turn, taken = Admission(max_items=2, max_bytes=100), asyncio.Lock(), list[str]()
    with pytest.raises(InvalidRequest):
        await waiting_room(admission, turn, taken, "a").take(items=3)
    assert taken == []
    assert not turn.locked()


async def test_who_leaves_while_it_waits_lets_the_next_one_come() -> None:
    admission, turn, taken = Admission(max_items=1, max_bytes=100), asyncio.Lock(), list[str]()
    running = holder()
    admission.take(running, items=1)
    leaving, staying = (
        asyncio.create_task(waiting_room(admission, turn, taken, name).take(items=1)) for name in ("a", "b")
    )
    await settle()
    leaving.cancel()
    await settle()
    admission.release(running)
    await asyncio.wait_for(staying, 5)
    assert taken == ["b"]
