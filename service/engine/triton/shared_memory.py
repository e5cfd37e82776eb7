"""Batches in memory that a Triton on the same host maps, in the place of bytes in a message.

A region belongs to one call at a time. Triton may still read it after a call that was cut short, so such a region
rests until nothing can be reading any more. `bench.shared_memory` measures what this saves.
"""

from __future__ import annotations

import logging
import mmap
import os
import secrets
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from grpc import StatusCode
from grpc.aio import AioRpcError
from tritonclient.grpc import service_pb2

from service.engine.protocol import Array

logger = logging.getLogger(__name__)

FOLDER = Path("/dev/shm")  # noqa: S108 (where Linux keeps POSIX shared memory)
LEAST_BYTES = 64 * 1024
"""Smaller batches travel as fast in the message."""
MOST_REGIONS = 64
REST_S = 120.0
"""Seconds that a region rests after a call that was cut short."""
REGISTER_TIMEOUT_S = 2.0
ALIGNMENT = 64  # bytes, as vector instructions like it


_OUT_OF_REACH = (StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED)


class Region:
    """One block of shared memory; `name` is what Triton calls it.

    Raises (on creation):
        OSError: there is no room.
    """

    def __init__(self, size: int) -> None:
        self.name, self.size = f"onepeace-{os.getpid()}-{secrets.token_hex(8)}", size
        file = os.open(FOLDER / self.name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            os.posix_fallocate(
                file, 0, size
            )  # takes the memory now: a full folder is an error here, not a fatal signal
            self._memory = mmap.mmap(file, size)
        except OSError:
            self.unlink()
            raise
        finally:
            os.close(file)
        self.rests_until_s = 0.0

    def write(self, offset: int, tensor: Array) -> None:
        """Copy a tensor to its place, little-endian, rows after each other."""
        target = np.ndarray(tensor.shape, tensor.dtype, self._memory, offset)
        np.copyto(target, tensor)

    def unlink(self) -> None:
        """Take the name away once Triton has opened it: so nothing is left behind, however this process ends."""
        (FOLDER / self.name).unlink(missing_ok=True)

    def unmap(self) -> None:
        """Let go of the memory. No thread may be writing any more."""
        self._memory.close()


class SharedMemory:
    """The regions that one server knows."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub
        self._free: deque[Region] = deque()
        self._all: set[Region] = set()
        self._stale: list[tuple[str, float]] = []  # names that a surviving server still maps, and until when they rest
        self._works = True

    async def take(self, size: int) -> Region | None:
        """A region for `size` bytes; None when the batch is better sent in its message."""
        if not self._works or size < LEAST_BYTES:
            return None
        now_s = time.monotonic()
        for _ in range(len(self._free)):
            region = self._free.popleft()
            if region.size >= size and region.rests_until_s <= now_s:
                return region
            self._free.append(region)
        return await self._add(size) if len(self._all) < MOST_REGIONS else None

    def give_back(self, region: Region, *, read: bool) -> None:
        """`read`: whether the server has answered, so that it can't be reading any more."""
        if region in self._all:
            region.rests_until_s = 0.0 if read else time.monotonic() + REST_S
            self._free.append(region)
        else:
            region.unmap()

    def drop(self, region: Region) -> None:
        """The server does not know this region any more; whoever holds it still gives it back."""
        self._all.discard(region)

    def forget(self) -> None:
        """The connection is lost: the server may have gone, and with it all that it knew; if not, it is told later."""
        until_s = time.monotonic() + REST_S
        self._stale += [(region.name, until_s) for region in self._all]
        for region in self._free:
            region.unmap()
        self._free.clear()
        self._all.clear()
        self._works = True

    async def tidy(self) -> None:
        """Tell the server to unmap regions of the past that have rested."""
        for entry in list(self._stale):
            name, until_s = entry
            if until_s <= time.monotonic() and await self._unregister(name):
                self._stale.remove(entry)

    async def close(self) -> None:
        """Tell the server to unmap what it can't be reading any more, and give the memory back."""
        now_s = time.monotonic()
        self._stale += [(region.name, region.rests_until_s) for region in self._free if region.rests_until_s <= now_s]
        await self.tidy()
        self.forget()

    async def _add(self, size: int) -> Region | None:
        try:
            region = Region(1 << (size - 1).bit_length())
        except OSError as error:
            self._give_up(error)
            return None
        self._all.add(region)  # counts from now on
        request = service_pb2.SystemSharedMemoryRegisterRequest(
            name=region.name, key=f"/{region.name}", offset=0, byte_size=region.size
        )
        try:
            await self._stub.SystemSharedMemoryRegister(request, timeout=REGISTER_TIMEOUT_S)
        except BaseException as error:  # cancellation, too
            self._all.discard(region)
            self._stale.append((region.name, 0.0))  # it may have been registered all the same
            region.unmap()
            if not isinstance(error, AioRpcError):
                raise
            if error.code() not in _OUT_OF_REACH:
                self._give_up(error.details())
            return None
        finally:
            region.unlink()
        return region

    async def _unregister(self, name: str) -> bool:
        request = service_pb2.SystemSharedMemoryUnregisterRequest(name=name)
        try:
            await self._stub.SystemSharedMemoryUnregister(request, timeout=REGISTER_TIMEOUT_S)
        except AioRpcError as error:
            return error.code() not in _OUT_OF_REACH  # a server that answers knows no such name
        return True

    def _give_up(self, reason: object) -> None:
        self._works = False
        logger.warning("Triton can't share memory, batches travel in messages: %s", reason)


def place(request: Any, region: Region, tensors: Mapping[str, Array]) -> None:
    """Copy tensors to a region, and tell the request's inputs where each lies."""
    offset = 0
    for entry in request.inputs:
        tensor = tensors[entry.name]
        region.write(offset, tensor)
        entry.parameters["shared_memory_region"].string_param = region.name
        entry.parameters["shared_memory_offset"].int64_param = offset
        entry.parameters["shared_memory_byte_size"].int64_param = tensor.nbytes
        offset += _room(tensor)


def needed_bytes(tensors: Mapping[str, Array]) -> int:
    """Room that `place` takes."""
    return sum(map(_room, tensors.values()))


def _room(tensor: Array) -> int:
    return -(-tensor.nbytes // ALIGNMENT) * ALIGNMENT
