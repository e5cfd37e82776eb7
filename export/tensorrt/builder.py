"""Builds a plan: graph → strongly typed network → engine with one optimisation profile for each length bucket.

Uses what the bindings of TensorRT 10 and 11 have in common. A network is strongly typed: types come from the graph
(`export/mixed_precision.py`); TensorRT 11 knows no other network.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.profiles import Profile
from export.tensorrt.binding import PlanError, start
from service.repository import Precision

GIB = 2**30
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlanJob:
    """One plan to build. `timing_cache` is read when it exists and written afterwards."""

    graph: Path
    profiles: tuple[Profile, ...]
    precision: Precision
    timing_cache: Path | None = None
    workspace_gib: int = 4


def build_plan(trt: Any, job: PlanJob) -> bytes:
    """Build one plan with the package `trt`; its bytes.

    Raises:
        PlanError: the graph can't be parsed, a profile does not fit it, or no kernels were found.
    """
    log = trt.Logger(trt.Logger.WARNING)
    builder = start(trt.Builder, log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = start(trt.OnnxParser, network, log)
    if not parser.parse_from_file(str(job.graph)):  # finds weights that lie beside the graph
        raise PlanError(f"{job.graph}: TensorRT can't read it: {_reasons(parser)}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, job.workspace_gib * GIB)
    if job.precision == "fp32":
        config.clear_flag(trt.BuilderFlag.TF32)  # it is on by default and keeps 10 bits of the mantissa
    for profile in job.profiles:
        _add_profile(builder, config, profile, job.graph)
    cache = _attach_cache(config, job.timing_cache)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise PlanError(f"{job.graph}: TensorRT built no engine; its log says why")
    if job.timing_cache is not None:
        _write_cache(cache, job.timing_cache)
    return bytes(plan)


def _add_profile(builder: Any, config: Any, profile: Profile, graph: Path) -> None:
    shapes = builder.create_optimization_profile()
    try:
        for name in profile.opt:
            shapes.set_shape(name, profile.min[name], profile.opt[name], profile.max[name])
    except ValueError as error:
        raise PlanError(f"{graph}: a profile does not fit: {error}") from error
    if config.add_optimization_profile(shapes) < 0:
        raise PlanError(f"{graph}: TensorRT refuses the profile {profile}")


def _attach_cache(config: Any, path: Path | None) -> Any:
    """Timings of an earlier build spare measuring the same kernels again; what another GPU timed is refused."""
    known = path.read_bytes() if path is not None and path.is_file() else b""
    cache = config.create_timing_cache(known)
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        logger.warning("%s: timings of another GPU or version are left out", path)
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, ignore_mismatch=False)
    return cache


def _write_cache(cache: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_bytes(bytes(cache.serialize()))
    temporary.replace(path)


def _reasons(parser: Any) -> str:
    return "; ".join(str(parser.get_error(number)) for number in range(parser.num_errors)) or "no reason given"
