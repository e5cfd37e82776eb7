"""AdamW with layer-wise rates, the schedule, and averaged weights."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from training.configuration import OptimizerSettings

_LAYER = re.compile(r"encoder\.layers\.(\d+)\.")


def build_optimizer(model: nn.Module, settings: OptimizerSettings, layers: int) -> torch.optim.AdamW:
    """AdamW over the trainable weights; lower layers have a lower rate.

    Biases, norms, gains and tables of relative positions take no weight decay.
    Depth 0 is the adapters, 1 to `layers` the encoder's layers, `layers` + 1 everything above; depth d has the rate
    times `layer_decay` ** (layers + 1 − d) (arXiv:2106.08254). Each group keeps that factor as `rate_factor`.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = settings.weight_decay if parameter.dim() > 1 and "tables" not in name else 0.0
            factor = settings.layer_decay ** (layers + 1 - depth_of(name, layers))
            groups.setdefault((factor, decay), []).append(parameter)
    described = [
        {"params": group, "rate_factor": factor, "weight_decay": decay} for (factor, decay), group in groups.items()
    ]
    return torch.optim.AdamW(described, lr=settings.learning_rate, betas=settings.betas)


def depth_of(name: str, layers: int) -> int:
    """How far from the input a parameter stands, from its name: 0 to `layers` + 1."""
    if "denoiser" in name:
        return layers + 1
    if "adapters." in name:
        return 0
    match = _LAYER.search(name)
    return int(match[1]) + 1 if match else layers + 1


def learning_rate(step: int, steps: int, settings: OptimizerSettings) -> float:
    """The rate of step `step`, counted from 0: linear warm-up, then half a cosine."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    progress = (step - settings.warmup_steps) / max(1, steps - settings.warmup_steps)
    cosine = (1 + math.cos(math.pi * min(1.0, progress))) / 2
    return settings.learning_rate * (settings.final_ratio + (1 - settings.final_ratio) * cosine)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group the rate times its factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_factor"]


class AveragedWeights:
    """Exponential moving average of a model's weights."""

    def __init__(self, weights: Mapping[str, Tensor], decay: float) -> None:
        self.decay = decay
        self.state = {name: weight.detach().clone() for name, weight in weights.items()}

    def update(self, weights: Mapping[str, Tensor]) -> None:
        """Move a step of 1 − decay towards the model's weights."""
        with torch.no_grad():
            for name, weight in weights.items():
                self.state[name].lerp_(weight, 1 - self.decay)
