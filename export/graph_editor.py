"""Small edits of an ONNX graph: insert a node, store a constant, cast, put one value in the place of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

Attribute = int | float | Sequence[int]


class GraphEditor:
    """Edits `model` in place; new nodes go in front of the node that `at` names."""

    def __init__(self, model: ir.Model) -> None:
        self.graph = model.graph
        self._point: ir.Node | None = None
        self._constants: dict[tuple[str, bytes], ir.Value] = {}

    def at(self, node: ir.Node) -> None:
        """Insert from now on in front of `node`."""
        self._point = node

    def add(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        dtype: ir.DataType,
        attributes: Mapping[str, Attribute] | None = None,
    ) -> ir.Value:
        """Insert one standard operator with one output of type `dtype`."""
        node = ir.node(op_type, inputs, dict(attributes or {}))
        output = node.outputs[0]
        output.dtype = dtype
        if self._point is None:
            self.graph.append(node)
        else:
            self.graph.insert_before(self._point, node)
        return output

    def constant(self, values: NDArray[np.generic]) -> ir.Value:
        """Store an array; equal arrays are stored once."""
        key = (f"{values.dtype}{values.shape}", values.tobytes())
        if key not in self._constants:
            self._constants[key] = self._store(f"standard_constant_{len(self._constants)}", ir.Tensor(values))
        return self._constants[key]

    def cast(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        """`value` as `dtype`; what is stored is stored a second time, so that nothing is cast at run time."""
        if value.dtype == dtype:
            return value
        tensor = value.const_value
        if tensor is None or not value.is_initializer():
            cast = self.add("Cast", [value], dtype, {"to": dtype.value})
            cast.shape = value.shape
            return cast
        name = f"{value.name}_{dtype.name.lower()}"
        if name in self.graph.initializers:
            return self.graph.initializers[name]
        return self._store(name, ir.Tensor(tensor.numpy().astype(dtype.numpy()), dtype=dtype))

    def replace(self, node: ir.Node, value: ir.Value) -> None:
        """Let `value` stand where the only output of `node` stood, under its name, and remove the node."""
        old = node.outputs[0]
        name, shape, is_output = old.name, old.shape, old.is_graph_output()
        ir.convenience.replace_all_uses_with(old, value, replace_graph_outputs=True)
        old.name = None
        value.shape = shape
        if is_output or value.name is None:
            value.name = name
        self.graph.remove(node, safe=True)

    def drop_unread(self) -> None:
        """Remove nodes and stored weights that nothing reads any more."""
        for node in reversed(list(self.graph)):
            if not any(output.uses() or output.is_graph_output() for output in node.outputs):
                self.graph.remove(node, safe=True)
        for name, weight in list(self.graph.initializers.items()):
            if not weight.uses() and not weight.is_graph_output():
                del self.graph.initializers[name]

    def _store(self, name: str, tensor: ir.Tensor[Any]) -> ir.Value:
        value = ir.Value(name=name, const_value=tensor, shape=tensor.shape, type=ir.TensorType(tensor.dtype))
        self.graph.register_initializer(value)
        return value
