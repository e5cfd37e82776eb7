"""`python -m bench.shared_memory`: does Triton on the same host take batches faster from shared memory than by gRPC?

The model only sums what it gets, so that a call's time is the time of its transport. Both ways alternate.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, model_config_pb2
from tritonclient.utils import shared_memory

from bench.processes import triton
from service.repository import write_config

CALLS = 200
SIZES = {"short texts, 16 rows": 16 * 24, "pictures of 256 px, 8 rows": 8 * 49_152, "16 s of sound": 256_000}
"""What a batch holds, in float32 values."""
PROGRAM = """
import numpy as np
import triton_python_backend_utils as triton

class TritonPythonModel:
    def execute(self, requests):
        sums = [triton.get_input_tensor_by_name(request, "values").as_numpy().sum(axis=1) for request in requests]
        return [triton.InferenceResponse([triton.Tensor("sum", s[:, None].astype(np.float32))]) for s in sums]
"""


def main() -> None:
    """Measure and print the table."""
    print(f"milliseconds of a call, medians of {CALLS}\n\n{'':28}{'bytes':>10}{'gRPC':>8}{'shared':>8}{'ratio':>8}")
    with (
        tempfile.TemporaryDirectory() as folder,
        triton(_repository(Path(folder)), Path(folder), os.sched_getaffinity(0)) as (port, _),
        InferenceServerClient(f"127.0.0.1:{port}") as client,
    ):
        for title, count in SIZES.items():
            values = np.random.default_rng(0).random((1, count), np.float32)
            with by_shared_memory(client, values) as shared_call:
                calls = (by_grpc(client, values), shared_call)
                rounds = [[_seconds(call) for call in calls] for _ in range(CALLS)]
            grpc, shared = (1000 * statistics.median(column) for column in zip(*rounds, strict=True))
            print(f"{title:28}{values.nbytes:10}{grpc:8.2f}{shared:8.2f}{shared / grpc:8.2f}")


def by_grpc(client: InferenceServerClient, values: np.ndarray) -> Callable[[], None]:
    """A call that carries the values in its message."""

    def call() -> None:
        tensor = InferInput("values", list(values.shape), "FP32")
        tensor.set_data_from_numpy(values)
        client.infer("sum", [tensor])

    return call


@contextmanager
def by_shared_memory(client: InferenceServerClient, values: np.ndarray) -> Iterator[Callable[[], None]]:
    """A call that copies the values to a region that the server has mapped, and names it."""
    region = shared_memory.create_shared_memory_region("batch", "/onepeace-bench", values.nbytes)
    client.register_system_shared_memory("batch", "/onepeace-bench", values.nbytes)

    def call() -> None:
        shared_memory.set_shared_memory_region(region, [values])
        tensor = InferInput("values", list(values.shape), "FP32")
        tensor.set_shared_memory("batch", values.nbytes)
        client.infer("sum", [tensor])

    try:
        yield call
    finally:
        client.unregister_system_shared_memory("batch")
        shared_memory.destroy_shared_memory_region(region)


def _seconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _repository(folder: Path) -> Path:
    model = folder / "repository" / "sum"
    (model / "1").mkdir(parents=True)
    (model / "1" / "model.py").write_text(PROGRAM)
    config = model_config_pb2.ModelConfig(name="sum", backend="python", max_batch_size=8)
    config.input.add(name="values", data_type="TYPE_FP32", dims=[-1])
    config.output.add(name="sum", data_type="TYPE_FP32", dims=[1])
    config.instance_group.add(count=1, kind=model_config_pb2.ModelInstanceGroup.KIND_CPU)
    write_config(config, model / "config.pbtxt")
    return model.parent


if __name__ == "__main__":
    main()
