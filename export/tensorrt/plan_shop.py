"""Where a model's plans come from: those that lie in its folder, and what can be built here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from export.agreement import Verdict
from export.profiles import bucket_profiles
from export.target import TargetOptions
from export.tensorrt.binding import PlanError, TensorRTMissing, load_tensorrt
from export.tensorrt.builder import PlanJob, build_plan
from export.tensorrt.device import Device, DeviceError
from export.tensorrt.plan_file import PlanKey, find_plans, plan_digest, version_order
from export.tensorrt.runner import PlanRunner
from export.tensorrt.verification import verify_plan
from service.repository import MODEL_FILE, ModelFolder, read_repository


class PlansMissing(Exception):
    """Plans are required, and there is none for a model; the message says what is missing."""


@dataclass(frozen=True)
class Plans:
    """A model's plans of one TensorRT version: compute capability → file. `note`: how the one built here compares."""

    tensorrt_version: str
    files: dict[str, str]
    note: str = ""


class PlanShop:
    """Finds and builds plans for one export; the GPU is opened once, and only to build.

    `lack` says what is missing here, where nothing can be built.
    """

    def __init__(self, options: TargetOptions) -> None:
        self._options = options
        self._trt: Any = None
        self._device: Device | None = None
        self.lack = "the repository holds none for it, and none shall be built here"

    def __enter__(self) -> PlanShop:
        if self._options.target != "triton-tensorrt" or not self._options.plans.build:
            return self
        try:
            self._trt = load_tensorrt()
            self._device = Device()
        except (TensorRTMissing, DeviceError) as error:
            self.lack = str(error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._device is not None:
            self._device.__exit__(kind, error, trace)

    def plans_for(self, model: ModelFolder, graph: Path) -> Plans | None:
        """The plans of a model, after building the one for this GPU where that is possible; None: there are none.

        Plans of the model's earlier weights or profiles are removed.

        Raises:
            PlansMissing: there are none, and they are required.
            PlanError: one could not be built, or is off.
        """
        digest, folder = plan_digest(model), graph.parent
        for key in find_plans(folder):
            if key.digest != digest:
                (folder / key.file_name).unlink()
        note = "" if self._device is None else self._build(model, graph, digest, self._device)
        keys = find_plans(folder)
        version = self._version(keys)
        files = {key.compute_capability: key.file_name for key in keys if key.tensorrt_version == version}
        if not files and self._options.plans.required:
            raise PlansMissing(f"no plan for '{model.name}': {self.lack}")
        return Plans(str(version), files, note) if files else None

    def _version(self, keys: list[PlanKey]) -> str | None:
        """That which was asked for, else the installed one, else the newest of the plans."""
        if self._options.plans.tensorrt_version is not None:
            return self._options.plans.tensorrt_version
        if self._device is not None:
            return str(self._trt.__version__)
        return max((key.tensorrt_version for key in keys), key=version_order, default=None)

    def _build(self, model: ModelFolder, graph: Path, digest: str, device: Device) -> str:
        """Build the plan for this GPU unless it lies there; how it compares with the ONNX model."""
        version, plans = str(self._trt.__version__), self._options.plans
        key = PlanKey(version, device.compute_capability, digest)
        path = model.path / MODEL_FILE.with_name(key.file_name)
        if path.is_file():
            return ""
        cache = plans.timing_cache.expanduser() / key.timing_cache_name
        job = PlanJob(graph, bucket_profiles(model), model.card.precision, cache, self._options.workspace_gib)
        plan = build_plan(self._trt, job)
        note = ""
        if plans.verify:
            verdict = verify_plan(model, PlanRunner(self._trt, device, plan))
            note = f"; difference {verdict.largest_difference:.1e}, cosine {verdict.lowest_cosine:.6f}"
            if not verdict.passed:
                raise PlanError(f"the plan of '{model.name}' differs from its ONNX model too much: {note[2:]}")
        path.write_bytes(plan)
        return note


def verify_plans(repository: Path) -> Iterator[Verdict]:
    """Hold each model's plan for this GPU and the installed TensorRT against its ONNX model.

    Raises:
        TensorRTMissing, DeviceError: nothing can be run here.
        PlansMissing: a model has no such plan.
        RepositoryError, PlanError, UnusableModel: a model or a plan is broken.
    """
    models = read_repository(repository)
    trt = load_tensorrt()
    with Device() as device:
        for model in models.values():
            key = PlanKey(str(trt.__version__), device.compute_capability, plan_digest(model))
            path = model.path / MODEL_FILE.with_name(key.file_name)
            if not path.is_file():
                raise PlansMissing(f"{path}: no such plan; onepeace export --target triton-tensorrt builds it")
            yield verify_plan(model, PlanRunner(trt, device, path.read_bytes()))
