"""A repository for Triton from one that `onepeace export` wrote: the same models, another configuration."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from export.publication import publish, staging_folder
from export.target import TargetOptions
from export.tensorrt.eligibility import refuse_bf16, refuse_int8
from export.tensorrt.plan_file import STANDARD_FILE
from export.tensorrt.plan_shop import Plans, PlanShop
from export.triton.python_variant import link_or_copy
from export.triton.targets import onnx_config, plan_config
from export.triton.warmup import FOLDER as WARMUP_FOLDER
from export.triton.warmup import write_warmup_files
from service.repository import CONFIG_FILE, ModelFolder, Precision, read_model, read_repository, write_config

CONFIGS_FOLDER = "configs"  # where `tritonserver --model-config-name` looks
FALLBACK_CONFIG = Path(CONFIGS_FOLDER) / "onnx.pbtxt"
LARGE_SUFFIXES = (".onnx", ".data", ".plan")
Report = Callable[[str], None]
logger = logging.getLogger(__name__)


def write_variant(repository: Path, out_dir: Path, options: TargetOptions, report: Report) -> list[str]:
    """Write every model of `repository` for the target into `out_dir`, all or none; their names.

    `out_dir` may be `repository`. Graphs, weights and plans are hard links where they can be. `report` is told, model
    by model, what runs it.

    Raises:
        RepositoryError: the repository is broken.
        UnsupportedModel: TensorRT can't take a model.
        PlansMissing: plans are required and can't be had.
        DeviceError: the GPU refused a call, as for want of memory.
        PlanError, UnusableModel: a plan could not be built, or differs from the ONNX model.
        OSError: a folder can't be read or written.
    """
    models = read_repository(repository)
    for model in models.values():
        refuse_unsupported(str(model.path), model.card.precision, options)
    out_dir.mkdir(parents=True, exist_ok=True)
    with staging_folder(out_dir) as staging:
        for name, model in models.items():
            shutil.copytree(model.path, staging / name, copy_function=_link_or_copy_large)
        retarget(staging, list(models), options, report)
        publish(staging, out_dir, models)
    return list(models)


def retarget(folder: Path, names: list[str], options: TargetOptions, report: Report) -> None:
    """Turn the native models `names` below `folder` into ones for the target, in place; raises as `write_variant`.

    A warning is logged when some get no plan.
    """
    without_plan = []
    with PlanShop(options) as shop:
        for name in names:
            model = _native(folder / name)
            plans = shop.plans_for(model, _write_standard_graph(model)) if options.target == "triton-tensorrt" else None
            if plans is not None:
                report(_write_plan_model(model, plans, options))
                continue
            report(_write_onnx_model(model, options))
            without_plan.append(name)
        if without_plan and options.target == "triton-tensorrt":
            logger.warning("no TensorRT plan for %s, so ONNX Runtime runs them: %s", ", ".join(without_plan), shop.lack)


def _link_or_copy_large(source: str, target: str) -> str:
    """Only files that nobody writes into may have a second name."""
    return (link_or_copy if Path(source).suffix in LARGE_SUFFIXES else shutil.copy2)(source, target)


def say_nothing(_: str) -> None:
    """A report that nobody reads."""


def refuse_unsupported(model: str, precision: Precision, options: TargetOptions) -> None:
    """Refuse a precision that what the target runs on can't take, before any work is done.

    Raises:
        UnsupportedModel: says why, and what can be done.
    """
    if _uses_tensorrt(options):
        refuse_int8(model, precision)
    if options.accelerator == "tensorrt":
        refuse_bf16(model, precision)


def _uses_tensorrt(options: TargetOptions) -> bool:
    return options.target == "triton-tensorrt" or options.accelerator == "tensorrt"


def _native(folder: Path) -> ModelFolder:
    """The model without what an earlier target left, plans excepted."""
    for stale in (WARMUP_FOLDER, CONFIGS_FOLDER):
        shutil.rmtree(folder / stale, ignore_errors=True)
    (folder / STANDARD_FILE).unlink(missing_ok=True)
    return read_model(folder)


def _write_onnx_model(model: ModelFolder, options: TargetOptions) -> str:
    if _uses_tensorrt(options) and not (model.path / STANDARD_FILE).is_file():
        _write_standard_graph(model)
    _write(model, onnx_config(model, options))
    return f"{model.name}: ONNX Runtime on {options.accelerator}"


def _write_plan_model(model: ModelFolder, plans: Plans, options: TargetOptions) -> str:
    _write(model, plan_config(model, plans.files, plans.tensorrt_version, options))
    (model.path / CONFIGS_FOLDER).mkdir()
    write_config(onnx_config(model, options), model.path / FALLBACK_CONFIG)
    return f"{model.name}: TensorRT {plans.tensorrt_version} on {', '.join(sorted(plans.files))}{plans.note}"


def _write_standard_graph(model: ModelFolder) -> Path:
    from export.tensorrt.graph import write_standard_graph  # needs onnx_ir, which serving does not

    return write_standard_graph(model)


def _write(model: ModelFolder, config: object) -> None:
    write_config(config, model.path / CONFIG_FILE)
    write_warmup_files(model)
