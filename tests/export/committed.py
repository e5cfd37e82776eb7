"""The committed models as graphs: rows for them, runs of them, copies of them in half precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime

from service.repository import CONTRACTS, PAD_TOKEN

LENGTHS = ((1, 3, 16_000), (3, 16, 36_000), (2, 71, 64_000))  # rows, token ids, samples


def rows_for(model, rows, ids, samples, padding=0):
    """Random rows of the contract's inputs; the second is half as long, all are padded by `padding` of the length."""
    generator = np.random.default_rng(rows * ids)
    size = model.card.image_size or 1
    tokens = np.full((rows, ids + int(padding * ids)), PAD_TOKEN)
    waveform = np.zeros((rows, samples + int(padding * samples)), np.float32)
    used = np.full((rows, 1), samples)
    for row in range(rows):
        words = ids if row != 1 else max(1, ids // 2)
        used[row] = samples if row != 1 else max(16_000, samples // 2)
        tokens[row, :words] = generator.integers(4, 200, words)
        waveform[row, : used[row, 0]] = generator.standard_normal(used[row, 0])
    pixels = generator.integers(0, 256, (rows, 3, size, size), dtype=np.uint8)
    values = {"tokens": tokens, "waveform": waveform, "num_samples": used, "pixels": pixels}
    return {tensor.name: values[tensor.name] for tensor in CONTRACTS[model.name].inputs}


def run(graph, rows):
    """Run a graph (a path, its bytes, or an `ir.Model`) on the CPU with one thread."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    source = ir.to_proto(graph).SerializeToString() if isinstance(graph, ir.Model) else graph
    source = str(source) if isinstance(source, Path) else source
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"]).run(None, rows)[0]


def halve(graph):
    """Turn a float32 graph into one that computes in float16 throughout, as an export in fp16 does."""
    for weight in graph.graph.initializers.values():
        if weight.dtype == ir.DataType.FLOAT:
            weight.const_value = ir.Tensor(weight.const_value.numpy().astype(np.float16), name=weight.name)
            weight.dtype = ir.DataType.FLOAT16
    for value in [*graph.graph.inputs, *(output for node in graph.graph for output in node.outputs)]:
        if value.dtype == ir.DataType.FLOAT and not value.is_graph_input():
            value.dtype = ir.DataType.FLOAT16
    for node in list(graph.graph):
        if node.op_type == "Cast" and node.attributes["to"].as_int() == ir.DataType.FLOAT.value:
            node.attributes["to"] = ir.AttrInt64("to", ir.DataType.FLOAT16.value)
        for index, value in enumerate(node.inputs):
            if value is not None and value.is_graph_input() and value.dtype == ir.DataType.FLOAT:
                cast = ir.node("Cast", [value], {"to": ir.DataType.FLOAT16.value})
                cast.outputs[0].dtype = ir.DataType.FLOAT16
                graph.graph.insert_before(node, cast)
                node.replace_input_with(index, cast.outputs[0])


def types_of(graph, *op_types):
    """Output types of the operators of these kinds."""
    return {str(node.outputs[0].dtype) for node in graph.graph if node.op_type in op_types}
