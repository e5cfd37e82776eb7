"""Regions of shared memory: taken, used again, given up, and never in the way of a call."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from service.engine.triton import shared_memory
from service.engine.triton.shared_memory import SharedMemory, needed_bytes, place

SIZE = 1_000_000


class Stub:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.registered: list[str] = []
        self.unregistered: list[str] = []

    async def SystemSharedMemoryRegister(self, request: Any, timeout: float) -> None:  # noqa: N802, ASYNC109
        assert (shared_memory.FOLDER / request.name).stat().st_size == request.byte_size
        self.registered.append(request.name)

    async def SystemSharedMemoryUnregister(self, request: Any, timeout: float) -> None:  # noqa: N802, ASYNC109
        self.unregistered.append(request.name)


@pytest.fixture
def stub() -> Stub:
    return Stub()


def names() -> list[Path]:
    return list(shared_memory.FOLDER.glob(f"onepeace-{os.getpid()}-*"))


async def test_a_region_is_used_again_after_an_answer(stub: Stub) -> None:
    shared = SharedMemory(stub)
    first = await shared.take(SIZE)
    assert first is not None
    assert first.size >= SIZE
    shared.give_back(first, read=True)
    assert await shared.take(SIZE) is first
    assert stub.registered == [first.name]


async def test_a_region_rests_after_a_call_that_was_cut_short(stub: Stub) -> None:
    shared = SharedMemory(stub)
    first = await shared.take(SIZE)
    assert first is not None
    shared.give_back(first, read=False)
    second = await shared.take(SIZE)
    assert second is not first
    first.rests_until_s = 0.0
    assert await shared.take(SIZE) is first


async def test_no_name_is_left_once_the_server_has_opened_it(stub: Stub) -> None:
    assert await SharedMemory(stub).take(SIZE) is not None
    assert names() == []


async def test_small_batches_travel_in_messages(stub: Stub) -> None:
    assert await SharedMemory(stub).take(1000) is None


async def test_a_full_folder_is_no_error(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    shared = SharedMemory(stub)
    assert await shared.take(SIZE) is None
    assert names() == []
    assert stub.registered == []


async def test_only_so_many_regions_are_made(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "MOST_REGIONS", 2)
    shared = SharedMemory(stub)
    assert [await shared.take(SIZE) is None for _ in range(3)] == [False, False, True]


async def test_a_lost_connection_leaves_regions_in_use_until_they_come_back(stub: Stub) -> None:
    shared = SharedMemory(stub)
    region = await shared.take(SIZE)
    assert region is not None
    shared.forget()
    region.write(0, np.ones(10, np.float32))  # a thread that was still at it
    shared.give_back(region, read=True)
    again = await shared.take(SIZE)
    assert again is not None
    assert again is not region


async def test_a_server_that_survived_is_told_to_unmap_what_is_not_used_any_more(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_memory, "REST_S", 0.0)
    shared = SharedMemory(stub)
    region = await shared.take(SIZE)
    assert region is not None
    shared.give_back(region, read=True)
    shared.forget()
    await shared.tidy()
    await shared.tidy()
    assert stub.unregistered == [region.name]


async def test_a_registration_that_was_cut_short_is_taken_back(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cut(request: Any, timeout: float) -> None:  # noqa: ASYNC109
        raise asyncio.CancelledError

    monkeypatch.setattr(stub, "SystemSharedMemoryRegister", cut)
    shared = SharedMemory(stub)
    with pytest.raises(asyncio.CancelledError):
        await shared.take(SIZE)
    assert names() == []
    await shared.tidy()
    assert len(stub.unregistered) == 1


async def test_tensors_lie_aligned_one_after_the_other(stub: Stub) -> None:
    tensors = {"waveform": np.arange(25_001, dtype=np.float32)[None], "num_samples": np.array([[7]])}
    request = service_pb2.ModelInferRequest()
    for name in tensors:
        request.inputs.add(name=name)
    region = await SharedMemory(stub).take(needed_bytes(tensors))
    assert region is not None
    place(request, region, tensors)
    for entry in request.inputs:
        offset = entry.parameters["shared_memory_offset"].int64_param
        size = entry.parameters["shared_memory_byte_size"].int64_param
        assert offset % 64 == 0
        wanted = tensors[entry.name]
        found = np.frombuffer(region._memory[offset : offset + size], wanted.dtype)
        np.testing.assert_array_equal(found, wanted.ravel())
