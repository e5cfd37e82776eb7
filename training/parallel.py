"""How a model is spread over processes: copies (DDP) or shards (FSDP), and its whole weights brought back together."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    _CHECKPOINT_PREFIX,
    apply_activation_checkpointing,
)
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from export.one_peace.encoder import EncoderLayer
from training.configuration import RunError, RunSettings
from training.distributed import mean_over_processes, world_size

_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
_TAKE_WHOLE = StateDictOptions(full_state_dict=True)
_TAKE_WHAT_IS_THERE = StateDictOptions(full_state_dict=True, strict=False)


def spread(model: nn.Module, settings: RunSettings, device: torch.device) -> nn.Module:
    """The model as its forward pass must be called: checkpointed, sharded or copied as the settings say.

    Raises:
        RunError: shards are asked for without `torchrun`.
    """
    model.to(device)
    if settings.activation_checkpointing:
        apply_activation_checkpointing(model, check_fn=lambda module: isinstance(module, EncoderLayer))
    if settings.parallel == "fsdp":
        if not dist.is_initialized():
            raise RunError("parallel: fsdp needs `torchrun`")
        for module in list(model.modules()):
            if isinstance(module, EncoderLayer):
                fully_shard(module)
        scalars = {parameter for parameter in model.parameters() if not parameter.dim()}
        fully_shard(model, ignored_params=scalars)  # it refuses parameters without a dimension
        for scalar in scalars:
            scalar.register_post_accumulate_grad_hook(_average_gradient)  # type: ignore[no-untyped-call]
        return model
    if world_size() == 1:
        return model
    return DistributedDataParallel(model, find_unused_parameters=True)


def clip_gradients(model: nn.Module, limit: float) -> float:
    """Scale the gradient down to the norm `limit`; its norm before, over all processes' shards."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    shards = [gradient.to_local() for gradient in gradients if isinstance(gradient, DTensor)]
    copies = [gradient for gradient in gradients if not isinstance(gradient, DTensor)]
    norm = nn.utils.get_total_norm(copies)
    if shards:
        squares = nn.utils.get_total_norm(shards).square()
        dist.all_reduce(squares)
        norm = (norm.square() + squares).sqrt()
    factor = (limit / (norm + 1e-6)).clamp(max=1.0)
    for gradient in (*shards, *copies):
        gradient.mul_(factor)
    return float(norm)


def whole_model(model: nn.Module) -> dict[str, Tensor]:
    """All weights on the CPU, by the plain model's names; every process must ask."""
    state: dict[str, Any] = get_model_state_dict(model, options=_WHOLE)
    return state


def whole_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The optimiser's state on the CPU, by parameter names; every process must ask."""
    state: dict[str, Any] = get_optimizer_state_dict(model, optimizer, options=_WHOLE)
    return state


def take_whole(model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Put back what `whole_model` and `whole_optimizer` gave, under `model` and `optimizer`."""
    set_model_state_dict(model, state["model"], options=_TAKE_WHOLE)
    # what no loss has reached yet has no state: the decoder's parts of a modality that the task does not use
    set_optimizer_state_dict(model, optimizer, state["optimizer"], options=_TAKE_WHAT_IS_THERE)


def plain_parameters(model: nn.Module) -> dict[str, Tensor]:
    """This process's part of every weight, by the plain model's names."""
    return {name.replace(_CHECKPOINT_PREFIX, ""): parameter for name, parameter in model.named_parameters()}


def whole_tensors(parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors that are spread as the weights are, whole and on the CPU; every process must ask."""
    return {name: (part.full_tensor() if isinstance(part, DTensor) else part).cpu() for name, part in parts.items()}


def take_whole_tensors(parts: dict[str, Tensor], whole: dict[str, Tensor]) -> None:
    """Put back into `parts` what `whole_tensors` gave."""
    for name, value in whole.items():
        own = parts[name]
        if isinstance(own, DTensor):
            value = distribute_tensor(value.to(own.device), own.device_mesh, own.placements)
        own.copy_(value)


def _average_gradient(parameter: Tensor) -> None:
    if parameter.grad is not None:
        parameter.grad = mean_over_processes(parameter.grad)
