"""The embedded engine: ONNX Runtime in the process, each model with its own session and its own slots."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from service.engine.onnx_runtime import load_onnxruntime
from service.engine.protocol import Array, Batch
from service.engine.warmup import warmup_batches
from service.errors import EngineFailure
from service.fingerprint import check_fingerprint
from service.repository import ModelFolder, RepositoryError

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
CUDA_OPTIONS = {
    "use_tf32": "0",  # a float32 model computes in float32, as on the CPU; for speed export fp16 or bf16
    "cudnn_conv_algo_search": "HEURISTIC",  # the default measures every algorithm for every new shape of a batch
}
Device = Literal["auto", "cpu", "cuda"]
logger = logging.getLogger(__name__)


class OnnxEngine:
    """Runs every model of a repository through ONNX Runtime, on CUDA where the package offers it."""

    pads_to_bucket = False
    gives_up = False  # a running session can't be stopped
    device = "cpu"

    def __init__(
        self, models: dict[str, ModelFolder], *, threads: int, device: Device = "auto", verify: bool = True
    ) -> None:
        """`device`: cuda must be usable, auto takes it where it is, cpu never does. `verify`: see `start`."""
        self._models = models
        self._verify = verify
        self._threads = threads
        self._wanted = device
        self._sessions: dict[str, Any] = {}
        slots = sum(model.instances for model in models.values())
        self._workers: list[threading.Thread] = []
        self._pool = ThreadPoolExecutor(
            slots, thread_name_prefix="engine", initializer=lambda: self._workers.append(threading.current_thread())
        )

    async def start(self) -> None:
        """Verify that every model's files are those of its fingerprint, unless told not to; load it and warm it up.

        Raises:
            RepositoryError: a model's files were changed, it can't be loaded, its tensors are not those of its
                `config.pbtxt`, or CUDA was asked for and can't be used.
            EngineFailure: a model fails on its own warm-up rows.
        """
        refuse_two_runtimes()
        loop = asyncio.get_running_loop()
        for name, model in self._models.items():
            if self._verify:
                await loop.run_in_executor(self._pool, check_fingerprint, model.path, model.card)
            session = await loop.run_in_executor(self._pool, _load, model, self._threads, self._wanted)
            self.device = "cuda" if CUDA in session.get_providers() else "cpu"
            self._sessions[name] = session
            for batch in warmup_batches(model):
                await self.infer(name, batch)
            logger.info("model %s is loaded and warm", name)

    def ready(self) -> bool:
        """Whether every model is loaded."""
        return self._sessions.keys() == self._models.keys()

    def alive(self) -> bool:
        """Whether every thread that has begun still runs: the pool replaces none, and its calls would wait for ever."""
        return all(worker.is_alive() for worker in self._workers)

    def slots(self, model: ModelFolder) -> int:
        """As many as the model has instances: each call has its thread."""
        return model.instances

    async def infer(self, model: str, batch: Batch) -> Array:
        """Run one batch in the engine's threads; see `Engine.infer`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._run, model, batch)

    async def close(self) -> None:
        """Finish the calls under way, then drop the sessions."""
        await asyncio.to_thread(self._pool.shutdown)
        self._sessions.clear()

    def _run(self, model: str, batch: Batch) -> Array:
        try:
            output = self._sessions[model].run(None, batch.tensors())[0]
        except Exception as error:  # the runtime's exceptions have no public base class
            raise EngineFailure(f"the model '{model}' failed") from error
        return np.asarray(output, dtype=np.float32)


def refuse_two_runtimes() -> None:
    """`onnxruntime` and `onnxruntime-gpu` overwrite each other's files: say so instead of failing oddly.

    Raises:
        RepositoryError: both packages are installed, or ONNX Runtime is missing.
    """
    if _installed("onnxruntime") and _installed("onnxruntime-gpu"):
        raise RepositoryError("only one of onnxruntime and onnxruntime-gpu may be installed; both are")
    if find_spec("onnxruntime") is None:
        raise RepositoryError("ONNX Runtime is missing: install one of onnxruntime and onnxruntime-gpu")


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _load(model: ModelFolder, threads: int, device: Device) -> Any:
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal: errors come as exceptions, and its lines go past the log and its format
    # Spinning threads win microseconds on an idle machine and take the cores from decoding on a busy one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = [CPU]
    if device != "cpu" and CUDA in onnxruntime.get_available_providers():
        providers.insert(0, (CUDA, CUDA_OPTIONS))
    try:
        session = onnxruntime.InferenceSession(str(model.onnx_path), options, providers=providers)
    except Exception as error:  # as above
        raise RepositoryError(f"{model.onnx_path}: ONNX Runtime can't load it: {error}") from error
    if CUDA not in session.get_providers():
        if device == "cuda":
            raise RepositoryError("CUDA can't be used: driver, libraries or the package onnxruntime-gpu are missing")
        if len(providers) > 1:
            logger.warning("CUDA can't be used (driver or libraries are missing): '%s' runs on the CPU", model.name)
    _check_tensors(model, session)
    return session


def _check_tensors(model: ModelFolder, session: Any) -> None:
    for kind, found, wanted in (
        ("inputs", session.get_inputs(), model.config.input),
        ("outputs", session.get_outputs(), model.config.output),
    ):
        have, want = sorted(tensor.name for tensor in found), sorted(tensor.name for tensor in wanted)
        if have != want:
            raise RepositoryError(f"{model.onnx_path}: {kind} are {have}, config.pbtxt says {want}")
