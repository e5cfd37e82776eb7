"""Rewrites a float32 graph's weights: 8-bit blocks or bfloat16. Rows share no scale, so they stay independent."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

INT8_ZERO = 128
BLOCK_SIZES = (32, 16)  # weights that share a scale
# `accuracy_level` of MatMulNBits: activations become 8-bit too, each block of each row by itself
INT8_ARITHMETIC = 4
MIN_ELEMENTS = 1024  # smaller tensors keep their type


def quantize_weights(model: ir.Model) -> None:
    """Turn every MatMul by a stored matrix into MatMulNBits with 8-bit weights, in place.

    A scale belongs to a block of one output's weights, found from the weights alone: no calibration. Activations
    are rounded block by block within a row, so no scale is shared between rows of a batch.
    Token tables are stored as float16, which is how checkpoints hold them.
    """
    for node in list(model.graph):
        weight = node.inputs[1] if len(node.inputs) > 1 else None
        if node.op_type == "MatMul" and weight is not None and _is_matrix(weight):
            _quantize(model, node, weight)
    for weight in list(model.graph.initializers.values()):
        if _is_matrix(weight) and _only_gathered(weight):
            _narrow(model, weight, ir.DataType.FLOAT16)
    model.graph.opset_imports.setdefault("com.microsoft", 1)


def store_narrow(model: ir.Model, dtype: ir.DataType) -> None:
    """Store every large float32 weight as bfloat16 or float16 and widen it before use, in place."""
    for weight in list(model.graph.initializers.values()):
        tensor = weight.const_value
        if tensor is not None and tensor.dtype == ir.DataType.FLOAT and tensor.size >= MIN_ELEMENTS:
            _narrow(model, weight, dtype)


def quantize_blocks(matrix: NDArray[np.float32], block: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Split `matrix` [K, N] into blocks of `block` along K: values uint8 [N, K/block, block], scales [N, K/block].

    weight ≈ (value − 128) · scale, symmetric, so that the largest weight of a block maps to ±127.
    """
    blocks = np.ascontiguousarray(matrix.T).reshape(matrix.shape[1], -1, block)
    scales = np.abs(blocks).max(axis=2) / 127
    steps = np.where(scales == 0, 1, scales)[:, :, None]
    values = np.clip(np.rint(blocks / steps), -127, 127) + INT8_ZERO
    return values.astype(np.uint8), scales.astype(np.float32)


def _quantize(model: ir.Model, node: ir.Node, weight: ir.Value) -> None:
    matrix = _tensor(weight).numpy()  # [K, N]
    block = next((size for size in BLOCK_SIZES if matrix.shape[0] % size == 0), None)
    if block is None:
        return
    values, scales = quantize_blocks(matrix, block)
    stored = [
        _register(model, f"{weight.name}_blocks", values),
        _register(model, f"{weight.name}_scales", scales.reshape(-1)),
    ]
    attributes = {"K": matrix.shape[0], "N": matrix.shape[1], "bits": 8, "block_size": block}
    attributes["accuracy_level"] = INT8_ARITHMETIC
    quantized = ir.node("MatMulNBits", [node.inputs[0], *stored], attributes, domain="com.microsoft", name=node.name)
    output = quantized.outputs[0]
    output.name, output.shape, output.type = node.outputs[0].name, node.outputs[0].shape, node.outputs[0].type
    model.graph.insert_before(node, quantized)
    ir.convenience.replace_all_uses_with(node.outputs[0], output)
    model.graph.remove(node, safe=True)
    if not weight.uses():
        del model.graph.initializers[str(weight.name)]


def _narrow(model: ir.Model, weight: ir.Value, dtype: ir.DataType) -> None:
    """Store `weight` as `dtype`; what reads it reads a float32 copy, and a gathered table is widened after."""
    name, tensor = str(weight.name), _tensor(weight)
    numpy_type = np.float16 if dtype == ir.DataType.FLOAT16 else ml_dtypes.bfloat16
    del model.graph.initializers[name]
    narrow = _register(model, f"{name}_{dtype.name.lower()}", tensor.numpy().astype(numpy_type), dtype)
    if _only_gathered(weight):
        for node, index in list(weight.uses()):
            node.replace_input_with(index, narrow)
            _widen_output(model, node, dtype)
        return
    widened = ir.node("Cast", [narrow], {"to": ir.DataType.FLOAT.value})
    widened.outputs[0].name, widened.outputs[0].shape = name, weight.shape
    widened.outputs[0].dtype = ir.DataType.FLOAT
    model.graph.insert_before(model.graph[0], widened)
    ir.convenience.replace_all_uses_with(weight, widened.outputs[0])


def _widen_output(model: ir.Model, node: ir.Node, dtype: ir.DataType) -> None:
    gathered = node.outputs[0]
    users = list(gathered.uses())
    gathered.dtype = dtype
    widened = ir.node("Cast", [gathered], {"to": ir.DataType.FLOAT.value})
    widened.outputs[0].name, widened.outputs[0].shape = f"{gathered.name}_wide", gathered.shape
    widened.outputs[0].dtype = ir.DataType.FLOAT
    model.graph.insert_after(node, widened)
    for user, index in users:
        user.replace_input_with(index, widened.outputs[0])


def _register(model: ir.Model, name: str, values: NDArray[np.generic], dtype: ir.DataType | None = None) -> ir.Value:
    tensor = ir.Tensor(values, dtype=dtype, name=name)
    value = ir.Value(name=name, const_value=tensor, shape=tensor.shape, type=ir.TensorType(tensor.dtype))
    model.graph.register_initializer(value)
    return value


def _tensor(value: ir.Value) -> ir.TensorProtocol:
    if value.const_value is None:
        raise ValueError(f"'{value.name}' is not stored in the graph")
    return value.const_value


def _is_matrix(value: ir.Value) -> bool:
    tensor = value.const_value
    if tensor is None or not value.is_initializer() or tensor.dtype != ir.DataType.FLOAT:
        return False
    return len(tensor.shape) == 2 and tensor.size >= MIN_ELEMENTS


def _only_gathered(value: ir.Value) -> bool:
    uses = list(value.uses())
    return bool(uses) and all(node.op_type == "Gather" and index == 0 for node, index in uses)
