"""Time of a call, work in it, and what the device's matrix units reach."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

WARM_UP_CALLS = 3
MATRIX_SIDE = {"cuda": 8192, "cpu": 512}


def seconds_of(call: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Median seconds of a call, the device waited for, repeated for about `seconds`."""
    for _ in range(WARM_UP_CALLS):
        call()
    wait(device)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        started = time.perf_counter()
        call()
        wait(device)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def flops_of(model: torch.nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Floating-point operations of the products and convolutions of one call, a multiply-add as two."""
    counter = FlopCounterMode(display=False)
    with counter:
        model(*inputs)
    return int(counter.get_total_flops())


def matrix_rate(device: torch.device, dtype: torch.dtype, seconds: float) -> float:
    """Operations a second of one large square product in `dtype`: what a branch could reach at best here."""
    side = MATRIX_SIDE[device.type]
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / seconds_of(lambda: left @ right, device, seconds)


def lowest_cosine(expected: Tensor, found: Tensor) -> float:
    """Of the rows of two outputs [B, D]."""
    cosine = torch.nn.functional.cosine_similarity(expected.double().cpu(), found.double().cpu(), dim=1)
    return float(cosine.min())


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
