"""Replaces `com.microsoft.MultiHeadAttention` by standard operators, for runtimes that know only those.

TensorRT's ONNX parser has no `com.microsoft` operators. The query is scaled before the first product, as TensorRT's
guide on fused attention asks. Scores are added up and go through the softmax in float32, whatever the products are
in; padded keys get −inf, so a row's output does not depend on how far it is padded.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from export.graph_editor import GraphEditor

FUSED = ("com.microsoft", "MultiHeadAttention")


def replace_attention(model: ir.Model, products: ir.DataType | None = None) -> int:
    """Replace every fused attention in place and return how many there were.

    `products` is the type of the two matrix products; None: that of the query. Boolean `Pad`, which TensorRT's
    parser does not list either, goes through int32.
    """
    editor = GraphEditor(model)
    masks: dict[ir.Value, ir.Value] = {}
    count = 0
    for node in list(model.graph):
        editor.at(node)
        if (node.domain, node.op_type) == FUSED:
            editor.replace(node, _attend(editor, node, masks, products))
            count += 1
        elif node.op_type == "Pad" and node.inputs[0] is not None and node.inputs[0].dtype == ir.DataType.BOOL:
            whole = editor.cast(node.inputs[0], ir.DataType.INT32)
            mode = {name: attribute.value for name, attribute in node.attributes.items()}
            padded = editor.add("Pad", [whole, *node.inputs[1:]], ir.DataType.INT32, mode)
            editor.replace(node, editor.cast(padded, ir.DataType.BOOL))
    editor.drop_unread()
    if not any(node.domain == FUSED[0] for node in model.graph):
        model.graph.opset_imports.pop(FUSED[0], None)
    return count


def _attend(
    editor: GraphEditor, node: ir.Node, masks: dict[ir.Value, ir.Value], products: ir.DataType | None
) -> ir.Value:
    """softmax(q kᵀ/√d + bias + mask) v for q, k, v [B, T, D], bias [1, H, T, T], keep int32 [B, T], 1 = look at."""
    q, k, v, _, keep, bias = [*node.inputs, None, None, None][:6]
    if q is None or k is None or v is None or q.shape is None or q.dtype is None:
        raise ValueError(f"attention '{node.name}' lacks an input or its shape")
    outer = q.dtype
    inner = products or outer
    heads, width = node.attributes["num_heads"].as_int(), int(q.shape[-1])  # type: ignore[arg-type]
    scale = np.array(1 / math.sqrt(width // heads), dtype=outer.numpy())
    q = editor.add("Mul", [q, editor.constant(scale)], outer)
    q, k, v = (editor.cast(value, inner) for value in (q, k, v))
    split = editor.constant(np.array([0, 0, heads, width // heads], dtype=np.int64))
    parts = [editor.add("Reshape", [value, split], inner) for value in (q, k, v)]  # [B, T, H, d]
    q, k, v = (
        editor.add("Transpose", [part], inner, {"perm": perm})
        for part, perm in zip(parts, ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3)), strict=True)
    )
    scores = editor.cast(editor.add("MatMul", [q, k], inner), ir.DataType.FLOAT)  # [B, H, T, T]
    if bias is not None:
        scores = editor.add("Add", [scores, editor.cast(bias, ir.DataType.FLOAT)], ir.DataType.FLOAT)
    if keep is not None:
        scores = editor.add("Add", [scores, _mask(editor, keep, masks)], ir.DataType.FLOAT)
    weights = editor.add("Softmax", [scores], ir.DataType.FLOAT, {"axis": -1})
    mixed = editor.add("MatMul", [editor.cast(weights, inner), v], inner)  # [B, H, T, d]
    mixed = editor.add("Transpose", [mixed], inner, {"perm": (0, 2, 1, 3)})
    joined = editor.add("Reshape", [mixed, editor.constant(np.array([0, 0, width], dtype=np.int64))], inner)
    return editor.cast(joined, outer)


def _mask(editor: GraphEditor, keep: ir.Value, masks: dict[ir.Value, ir.Value]) -> ir.Value:
    """0 for a key to look at and −inf for padding, float32 [B, 1, 1, T]; made once for all layers."""
    if keep not in masks:
        zero, closed = (editor.constant(np.array(value, dtype=np.float32)) for value in (0, -np.inf))
        chosen = editor.add("Where", [editor.cast(keep, ir.DataType.BOOL), zero, closed], ir.DataType.FLOAT)
        axes = editor.constant(np.array([1, 2], dtype=np.int64))
        masks[keep] = editor.add("Unsqueeze", [chosen, axes], ir.DataType.FLOAT)
    return masks[keep]
