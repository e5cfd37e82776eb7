"""Model → ONNX graph, with exactly the tensor names of the contract."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx_ir as ir
import torch
from torch import Tensor, nn

from export.one_peace.config import Modality, ModelConfig
from export.one_peace.model import ClassifyModel, EmbeddingModel
from service.repository import CONTRACTS, EMBEDDING_MODELS, PAD_TOKEN, PIXELS, PIXELS_2, TOKENS

OPSET = 20  # the first with Gelu
IR_VERSION = 9  # of the time of that opset, so that older servers read the file too
_TRACED_OUTPUT = "traced_output"


class ContractModel(nn.Module):
    """A model that takes its contract's inputs, in the contract's order, and gives its output."""

    def __init__(self, name: str, model: EmbeddingModel | ClassifyModel) -> None:
        super().__init__()
        self.name = name
        self.model = model

    def forward(self, *inputs: Tensor) -> Tensor:
        """`embedding` [B, D], `box` [B, 4] or `logits` [B, C], always float32."""
        if self.name in EMBEDDING_MODELS:
            embedding: Tensor = self.model(self.name, *inputs)
            return embedding
        logits: Tensor = self.model(group_inputs(self.name, inputs))
        return torch.sigmoid(logits) if self.name == "grounding" else logits


def group_inputs(name: str, inputs: tuple[Tensor, ...]) -> dict[Modality, tuple[Tensor, ...]]:
    """The inputs of model `name` by modality, as the classify model takes them."""
    groups: dict[Modality, tuple[Tensor, ...]] = {}
    for tensor, value in zip(CONTRACTS[name].inputs, inputs, strict=True):
        modality: Modality = "text" if tensor == TOKENS else "image" if tensor in (PIXELS, PIXELS_2) else "audio"
        groups[modality] = (*groups.get(modality, ()), value)
    return groups


def example_inputs(name: str, config: ModelConfig) -> tuple[Tensor, ...]:
    """Two rows of every input of model `name`, one of them padded."""
    size = config.image.image_size
    tokens = torch.full((2, 7), 5)
    tokens[1, 4:] = PAD_TOKEN
    examples = {
        "tokens": tokens,
        "pixels": torch.zeros(2, 3, size, size, dtype=torch.uint8),
        "pixels_2": torch.zeros(2, 3, size, size, dtype=torch.uint8),
        "waveform": torch.zeros(2, 20_000),
        "num_samples": torch.tensor([[20_000], [16_000]]),
    }
    return tuple(examples[tensor.name] for tensor in CONTRACTS[name].inputs)


def trace(name: str, model: EmbeddingModel | ClassifyModel) -> ir.Model:
    """Trace a prepared `model` as the contract's model `name`, batch and lengths dynamic."""
    contract = CONTRACTS[name]
    axes = [_dynamic_axes(tensor.dims) for tensor in contract.inputs]
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            ContractModel(name, model),
            example_inputs(name, model.config),
            input_names=[tensor.name for tensor in contract.inputs],
            output_names=[_TRACED_OUTPUT],
            opset_version=OPSET,
            dynamic_shapes={"inputs": tuple(axes)},
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("the tracer gave no program")
    graph = program.model
    _name_output(graph, contract.output.name)
    _name_axes(graph, [tensor.dims for tensor in contract.inputs])
    _store_transposed(graph)
    _drop_traces(graph)
    graph.ir_version = IR_VERSION
    return graph


def _dynamic_axes(dims: tuple[int | str, ...]) -> dict[int, object]:
    axes: dict[int, object] = {0: torch.export.Dim.DYNAMIC}
    return axes | {axis: torch.export.Dim.DYNAMIC for axis, dim in enumerate(dims, 1) if dim == -1}


@contextmanager
def _quiet() -> Iterator[None]:
    """Tracing talks about absent packages and its own deprecations; neither concerns the user."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _name_output(model: ir.Model, name: str) -> None:
    """Give the output its contract's name; the tracer may have used that name inside the graph."""
    for node in model.graph:
        for value in node.outputs:
            if value.name == name:
                value.name = f"{name}_inside"
    model.graph.outputs[0].name = name


def _name_axes(model: ir.Model, dims: list[tuple[int | str, ...]]) -> None:
    for value, sizes in zip(model.graph.inputs, dims, strict=True):
        traced = [] if value.shape is None else list(value.shape.dims)
        named: list[str | int] = ["B"]
        for size, axis in zip(sizes, traced[1:], strict=True):
            named.append(axis if isinstance(axis, int) and size != -1 else f"{value.name}_length")
        value.shape = ir.Shape(named)


def _store_transposed(model: ir.Model) -> None:
    """Store weights the way MatMul reads them, instead of a Transpose before each."""
    for node in list(model.graph):
        weight = node.inputs[0] if node.inputs else None
        if node.op_type != "Transpose" or weight is None or weight.const_value is None:
            continue
        if not weight.is_initializer() or weight.shape is None or len(weight.shape) != 2:
            continue
        tensor = _transposed(weight.const_value)
        stored = ir.Value(name=f"{weight.name}_transposed", const_value=tensor)
        stored.shape, stored.dtype = tensor.shape, tensor.dtype
        model.graph.register_initializer(stored)
        ir.convenience.replace_all_uses_with(node.outputs[0], stored)
        model.graph.remove(node, safe=True)
        if not weight.uses():
            del model.graph.initializers[str(weight.name)]


def _transposed(tensor: ir.TensorProtocol) -> ir.LazyTensor:
    """`tensor` transposed when it is written, so that no second copy of all weights lies in memory."""
    return ir.LazyTensor(
        lambda: ir.Tensor(tensor.numpy().T.copy(), dtype=tensor.dtype),
        dtype=tensor.dtype,
        shape=ir.Shape(reversed([int(size) for size in tensor.numpy().shape])),
    )


def _drop_traces(model: ir.Model) -> None:
    """Remove stack traces: they hold this machine's paths and would change the fingerprint."""
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    model.doc_string = model.graph.doc_string = None
    model.producer_name, model.producer_version = "onepeace", None
    for value in [*model.graph.inputs, *model.graph.outputs, *model.graph.initializers.values()]:
        value.metadata_props.clear()
        value.doc_string = None
    for node in model.graph:
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
