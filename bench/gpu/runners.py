"""The ways to run a branch: PyTorch with fused attention, the same compiled, and ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.gpu.branch import Branch
from export.artifact import save_graph
from export.exporter import build_graph
from export.tracing import ContractModel
from service.repository import CONTRACTS, Precision

Run = Callable[[tuple[Tensor, ...]], Tensor]
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
PROVIDERS = {"cuda": ["CUDAExecutionProvider"], "cpu": ["CPUExecutionProvider"]}


class Unavailable(Exception):
    """A runner can't run here; the message says why."""


def pytorch(branch: Branch, precision: Precision, device: torch.device) -> ContractModel:
    """The branch in PyTorch; attention is `scaled_dot_product_attention`."""
    model = branch.checkpoint.embedding_model((branch.name,), DTYPES[precision])
    return ContractModel(branch.name, model).to(device).eval()


def pytorch_run(branch: Branch, precision: Precision, device: torch.device, _: Path) -> Run:
    """As it stands."""
    model = pytorch(branch, precision, device)
    return lambda inputs: model(*inputs)


def compiled_run(branch: Branch, precision: Precision, device: torch.device, _: Path) -> Run:
    """`torch.compile`: with its code generator on a GPU; on a CPU only traced, which needs no C++ compiler."""
    backend = "inductor" if device.type == "cuda" else "eager"
    model = torch.compile(pytorch(branch, precision, device), backend=backend, dynamic=False)
    return lambda inputs: model(*inputs)


def onnx_run(branch: Branch, precision: Precision, device: torch.device, folder: Path) -> Run:
    """The exported graph in ONNX Runtime, inputs and output on the device.

    Raises:
        Unavailable: ONNX Runtime has no such device here.
    """
    from service.engine.onnx_runtime import load_onnxruntime

    onnxruntime = load_onnxruntime()

    if PROVIDERS[device.type][0] not in onnxruntime.get_available_providers():
        raise Unavailable("the installed ONNX Runtime has no CUDA: make gpu")
    path = folder / f"{branch.name}-{precision}" / "model.onnx"
    path.parent.mkdir(exist_ok=True)
    save_graph(build_graph(branch.name, branch.checkpoint, precision), path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=PROVIDERS[device.type])
    if session.get_providers()[0] != PROVIDERS[device.type][0]:
        raise Unavailable("ONNX Runtime can't load its CUDA libraries")
    return lambda inputs: _bound_call(session, branch.name, inputs)


def _bound_call(session: Any, name: str, inputs: tuple[Tensor, ...]) -> Tensor:
    binding, contract = session.io_binding(), CONTRACTS[name]
    for tensor, values in zip(contract.inputs, inputs, strict=True):
        kind = values[:0].cpu().numpy().dtype.type
        shape = list(values.shape)
        binding.bind_input(tensor.name, values.device.type, values.device.index or 0, kind, shape, values.data_ptr())
    binding.bind_output(contract.output.name, inputs[0].device.type)
    if inputs[0].device.type == "cuda":
        torch.cuda.synchronize()  # ONNX Runtime has a stream of its own
    session.run_with_iobinding(binding)
    return torch.from_numpy(binding.copy_outputs_to_cpu()[0])


RUNNERS: dict[str, Callable[[Branch, Precision, torch.device, Path], Run]] = {
    "pytorch": pytorch_run,
    "compiled": compiled_run,
    "onnx": onnx_run,
}
