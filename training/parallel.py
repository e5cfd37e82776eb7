"""How a model is spread over processes: copies (DDP) or shards (FSDP), and its whole weights brought back together."""

from __future__ import annotations

from typing import Any

import torch
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
from training.configuration import RunSettings
from training.distributed import world_size

_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
_TAKE_WHOLE = StateDictOptions(full_state_dict=True)
_TAKE_WHAT_IS_THERE = StateDictOptions(full_state_dict=True, strict=False)


def spread(model: nn.Module, settings: RunSettings, device: torch.device) -> nn.Module:
    """The model as its forward pass must be called: checkpointed, sharded or copied as the settings say."""
    model.to(device)
    if settings.activation_checkpointing:
        apply_activation_checkpointing(model, check_fn=lambda module: isinstance(module, EncoderLayer))
    if settings.parallel == "fsdp":
        for module in list(model.modules()):
            if isinstance(module, EncoderLayer):
                fully_shard(module)
        fully_shard(model)
        return model
    if world_size() == 1:
        return model
    return DistributedDataParallel(model, find_unused_parameters=True)


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
    return {name.replace(f"{_CHECKPOINT_PREFIX}.", ""): parameter for name, parameter in model.named_parameters()}


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
