"""Mixed precision where PyTorch can be trusted with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn


def keep_convolutions_in_float32(model: nn.Module) -> None:
    """Let no convolution of `model` compute in bfloat16 on a CPU.

    PyTorch 2.13 on a CPU with AMX gave NaN as the gradient of a bfloat16 Conv1d's weight, seen at step 22 of a run; in
    float32 it did not.
    """
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d)):
            module.forward = partial(_convolve, module.forward)  # type: ignore[method-assign]


def _convolve(forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    with torch.autocast(x.device.type, enabled=False):
        return forward(x.float())
