"""Several processes: who am I, and rows of all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn import functional as differentiable


def rank() -> int:
    """This process's number, 0 without `torchrun`."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Number of processes, 1 without `torchrun`."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def process_group() -> Iterator[torch.device]:
    """Join the group that `torchrun` describes, unless there is none or it was joined; gives this process's device."""
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if "RANK" not in os.environ or dist.is_initialized():
        yield device
        return
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def gather_rows(rows: Tensor) -> Tensor:
    """Rows of all processes in order of rank, [world × B, …]. The gradient flows back to every process."""
    if world_size() == 1:
        return rows
    gathered: tuple[Tensor, ...] = differentiable.all_gather(rows)  # type: ignore[no-untyped-call]
    return torch.cat(gathered)


def mean_over_processes(value: Tensor) -> Tensor:
    """The mean of a value, without gradient."""
    if world_size() == 1:
        return value.detach()
    value = value.detach().to("cuda" if dist.get_backend() == "nccl" else "cpu", copy=True)
    dist.all_reduce(value)
    return value / world_size()
