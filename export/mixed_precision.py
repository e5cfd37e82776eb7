"""Says in the graph itself which operators compute in which type, for runtimes that take types from the graph alone.

TensorRT 11 knows strongly typed networks only, TensorRT 10 offers them; neither has a way beside the graph's types
to keep an operator in float32 (NVIDIA, "Migrating from TensorRT 10.x to 11.x").
"""

from __future__ import annotations

import onnx_ir as ir

from export.graph_editor import GraphEditor

SENSITIVE = ("LayerNormalization", "Softmax")  # sums over a row, which float16 overflows or rounds away
PRODUCTS = ("MatMul", "Gemm")  # ONNX takes bfloat16 in Conv from opset 22 on only
HALF = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


def widen_sensitive(model: ir.Model) -> int:
    """Compute every `SENSITIVE` operator on 16-bit inputs in float32, in place; returns how many there were."""
    editor = GraphEditor(model)
    count = 0
    for node in list(model.graph):
        outer = node.outputs[0].dtype
        if node.op_type not in SENSITIVE or node.domain or outer not in HALF:
            continue
        editor.at(node)
        inputs = [None if value is None else editor.cast(value, ir.DataType.FLOAT) for value in node.inputs]
        attributes = {name: attribute.value for name, attribute in node.attributes.items()}
        editor.replace(node, editor.cast(editor.add(node.op_type, inputs, ir.DataType.FLOAT, attributes), outer))
        count += 1
    editor.drop_unread()
    return count


def narrow_products(model: ir.Model, dtype: ir.DataType) -> int:
    """Let products by a weight that is stored as `dtype` and widened before use compute in `dtype`, in place.

    All else stays float32, the sums of the residual path and the norms above all. Returns how many products there were.
    """
    editor = GraphEditor(model)
    count = 0
    for node in list(model.graph):
        weight = _stored_as(node.inputs[1], dtype) if node.op_type in PRODUCTS and len(node.inputs) > 1 else None
        if weight is None or node.domain:
            continue
        editor.at(node)
        first, _, *rest = node.inputs
        inputs = [None if value is None else editor.cast(value, dtype) for value in (first, weight, *rest)]
        attributes = {name: attribute.value for name, attribute in node.attributes.items()}
        product = editor.add(node.op_type, inputs, dtype, attributes)
        editor.replace(node, editor.cast(product, ir.DataType.FLOAT))
        count += 1
    editor.drop_unread()
    return count


def _stored_as(value: ir.Value | None, dtype: ir.DataType) -> ir.Value | None:
    """What is stored as `dtype` and read through one Cast."""
    node = None if value is None else value.producer()
    source = node.inputs[0] if node is not None and node.op_type == "Cast" else None
    return source if source is not None and source.is_initializer() and source.dtype == dtype else None
