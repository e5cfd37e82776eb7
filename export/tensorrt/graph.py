"""The graph that TensorRT reads: `1/standard.onnx`, made of standard operators, beside the model's own."""

from __future__ import annotations

from pathlib import Path

import onnx_ir as ir

from export.mixed_precision import narrow_products, widen_sensitive
from export.standard_attention import replace_attention
from export.tensorrt.eligibility import UnsupportedModel, refuse_int8
from export.tensorrt.plan_file import STANDARD_FILE
from service.repository import ModelFolder, Precision, RepositoryError


def write_standard_graph(model: ModelFolder) -> Path:
    """Write `standard.onnx` into the model's folder. Weights in a file beside the graph are shared, not copied.

    Raises:
        UnsupportedModel: the weights are 8-bit, or an operator is left that only ONNX Runtime knows.
        RepositoryError: the graph can't be read.
    """
    refuse_int8(str(model.path), model.card.precision)
    try:
        graph = ir.load(model.onnx_path)
    except Exception as error:  # protobuf's and onnx_ir's have no common base
        raise RepositoryError(f"{model.onnx_path}: can't be read as an ONNX model: {error}") from error
    standardize(graph, model.card.precision)
    foreign = sorted({f"{node.domain}.{node.op_type}" for node in graph.graph if node.domain})
    if foreign:
        raise UnsupportedModel(f"{model.onnx_path}: TensorRT's parser does not know {', '.join(foreign)}")
    path = model.path / STANDARD_FILE
    ir.save(graph, path)
    return path


def standardize(graph: ir.Model, precision: Precision) -> None:
    """Rewrite a graph of that precision in place.

    fp32 stays float32. In fp16, softmax and layer norms become float32. In bf16, whose weights are stored narrow
    and widened before use, products become bfloat16 and all else is float32.
    """
    narrow = ir.DataType.BFLOAT16 if precision == "bf16" else None
    replace_attention(graph, narrow)
    widen_sensitive(graph)
    if narrow is not None:
        narrow_products(graph, narrow)
