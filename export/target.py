"""What a person chooses when a repository is written for Triton."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from service.repository import CONTRACTS

Target = Literal["triton-onnx", "triton-tensorrt"]
Accelerator = Literal["cuda", "tensorrt", "cpu"]

ENGINE_CACHE = "/var/cache/onepeace-tensorrt"
TIMING_CACHE = Path("~/.cache/onepeace/tensorrt")


@dataclass(frozen=True)
class PlanOptions:
    """How plans come about. Version and compute capability are those found here unless named.

    `build`: build what is missing, otherwise only plans that lie there are used. `required`: without a plan for
    every model nothing is written.
    """

    build: bool = True
    required: bool = False
    verify: bool = True
    tensorrt_version: str | None = None
    compute_capability: str | None = None
    timing_cache: Path = TIMING_CACHE


@dataclass(frozen=True)
class TargetOptions:
    """`instances` of each model on each GPU (1 unless named); `threads` of one ONNX Runtime instance."""

    target: Target
    accelerator: Accelerator = "cuda"
    instances: dict[str, int] = field(default_factory=dict)
    threads: int = 1
    queue_delay_us: int | None = None
    engine_cache: str = ENGINE_CACHE
    workspace_gib: int = 4
    plans: PlanOptions = PlanOptions()


def parse_instances(values: list[str]) -> dict[str, int]:
    """`2` (every model) or `text=2` (one of them), later ones last.

    Raises:
        ValueError: says what is wrong with a value.
    """
    instances: dict[str, int] = {}
    for value in values:
        name, _, count = value.rpartition("=")
        if name and name not in CONTRACTS:
            raise ValueError(f"no model is called '{name}'; there are {', '.join(CONTRACTS)}")
        if not count.isdecimal() or int(count) < 1:
            raise ValueError(f"'{value}' names no number of instances, such as 2 or text=2")
        instances |= dict.fromkeys([name] if name else CONTRACTS, int(count))
    return instances
