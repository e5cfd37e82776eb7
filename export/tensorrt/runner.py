"""Runs a plan on the GPU, to hold it against the ONNX model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.agreement import Array, Rows
from export.tensorrt.binding import PlanError, start
from export.tensorrt.device import Device

DEFAULT_STREAM = 0


class PlanRunner:
    """One plan, ready to run batches one after the other.

    Raises:
        PlanError: TensorRT refuses the plan.
    """

    def __init__(self, trt: Any, device: Device, plan: bytes) -> None:
        self._device = device
        self._log = trt.Logger(trt.Logger.WARNING)
        self._runtime = start(trt.Runtime, self._log)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise PlanError("TensorRT refuses the plan that it built; its log says why")
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise PlanError("the GPU has too little memory for the plan")

    def run(self, rows: Rows, output: str) -> Array:
        """Run one batch; `output` float32 [B, …].

        Raises:
            PlanError: no profile takes these shapes, or the call failed.
        """
        profile = self._profile_for(rows)
        if not self._context.set_optimization_profile_async(profile, DEFAULT_STREAM):
            raise PlanError(f"the plan refuses its profile {profile}")
        try:
            for name, values in rows.items():
                if not self._context.set_input_shape(name, values.shape):
                    raise PlanError(f"the plan refuses {name} of shape {values.shape}")
                self._context.set_tensor_address(name, self._device.upload(values))
            shape = tuple(int(size) for size in self._context.get_tensor_shape(output))
            address = self._device.allocate(4 * int(np.prod(shape)))
            self._context.set_tensor_address(output, address)
            if not self._context.execute_async_v3(DEFAULT_STREAM):
                raise PlanError("the plan failed; TensorRT's log says why")
            return self._device.download(address, shape)
        finally:
            self._device.free()

    def _profile_for(self, rows: Rows) -> int:
        """The first profile whose range holds every shape."""
        for profile in range(self._engine.num_optimization_profiles):
            if all(self._fits(name, values, profile) for name, values in rows.items()):
                return profile
        shapes = ", ".join(f"{name} {values.shape}" for name, values in rows.items())
        raise PlanError(f"no profile of the plan takes {shapes}")

    def _fits(self, name: str, values: NDArray[np.generic], profile: int) -> bool:
        smallest, _, largest = self._engine.get_tensor_profile_shape(name, profile)
        return all(low <= size <= high for low, size, high in zip(smallest, values.shape, largest, strict=True))
