"""The first NVIDIA GPU, through the driver's own library: what it is, and memory on it. Needs no other package.

Names and constants are those of the CUDA driver API (`cuda.h`).
"""

from __future__ import annotations

import ctypes
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIBRARY = "libcuda.so.1"
COMPUTE_CAPABILITY_MAJOR, COMPUTE_CAPABILITY_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_…


class DeviceError(Exception):
    """There is no usable GPU, or it refused; the message says which."""


class Device:
    """A context on the first GPU. Not for several threads at once.

    Raises:
        DeviceError: no driver, no GPU, or the driver refused.
    """

    def __init__(self) -> None:
        try:
            self._driver: Any = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise DeviceError(f"no NVIDIA driver: {LIBRARY} can't be loaded") from error
        self._context, self._memory = ctypes.c_void_p(), list[ctypes.c_uint64]()
        self._handle = ctypes.c_int()
        self._call("cuInit", 0)
        self._call("cuDeviceGet", ctypes.byref(self._handle), 0)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), self._handle)
        self._call("cuCtxSetCurrent", self._context)

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.free()
        self._call("cuDevicePrimaryCtxRelease_v2", self._handle)

    @property
    def compute_capability(self) -> str:
        """Of the GPU, as Triton names it: `9.0`."""
        numbers = []
        for attribute in (COMPUTE_CAPABILITY_MAJOR, COMPUTE_CAPABILITY_MINOR):
            number = ctypes.c_int()
            self._call("cuDeviceGetAttribute", ctypes.byref(number), attribute, self._handle)
            numbers.append(number.value)
        return ".".join(map(str, numbers))

    def upload(self, values: NDArray[np.generic]) -> int:
        """Copy an array to the GPU; its address there, good until `free`."""
        values = np.ascontiguousarray(values)
        address = self.allocate(values.nbytes)
        self._call("cuMemcpyHtoD_v2", ctypes.c_uint64(address), _pointer(values), ctypes.c_size_t(values.nbytes))
        return address

    def allocate(self, size_bytes: int) -> int:
        """Memory on the GPU; its address, good until `free`."""
        address = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(1, size_bytes)))
        self._memory.append(address)
        return int(address.value)

    def download(self, address: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Wait for the GPU and copy float32 numbers from it."""
        values = np.empty(shape, dtype=np.float32)
        self._call("cuCtxSynchronize")
        self._call("cuMemcpyDtoH_v2", _pointer(values), ctypes.c_uint64(address), ctypes.c_size_t(values.nbytes))
        return values

    def free(self) -> None:
        """Give back all memory."""
        while self._memory:
            self._call("cuMemFree_v2", self._memory.pop())

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self._driver, name)(*arguments)
        if code:
            text = ctypes.c_char_p()
            self._driver.cuGetErrorString(code, ctypes.byref(text))
            reason = (text.value or b"unknown").decode(errors="replace")
            raise DeviceError(f"the GPU can't be used: {name}: {reason} ({code})")


def _pointer(values: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(values.ctypes.data)
