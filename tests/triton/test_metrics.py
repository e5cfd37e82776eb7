"""A real Triton has the series that the dashboard's tests take for its own."""

from __future__ import annotations

import httpx

from tests.docker.test_monitoring import TRITON, samples
from tests.triton.wheel_server import WheelServer


def test_the_recorded_series_are_those_of_a_real_triton(triton: WheelServer) -> None:
    real = samples(httpx.get(f"http://127.0.0.1:{triton.ports.metrics}/metrics").text)
    recorded = {name: labels for name, labels in samples(TRITON.read_text()).items() if "nv_gpu" not in name}
    assert recorded
    for name, labels in recorded.items():
        assert labels <= real.get(name, set()), name
