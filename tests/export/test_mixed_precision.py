"""Types in the graph: what stays float32, and that the numbers stay those of the original."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from onnx.reference import ReferenceEvaluator

from export.mixed_precision import narrow_products
from export.precision import store_narrow
from export.standard_attention import replace_attention
from export.tensorrt.graph import standardize
from service.repository import read_repository
from tests.export.committed import halve, rows_for, run, types_of
from tests.repository import REPOSITORY

MODELS = read_repository(REPOSITORY)
SENSITIVE = ("LayerNormalization", "Softmax")


@pytest.mark.parametrize("name", MODELS)
def test_half_precision_keeps_softmax_and_layer_norm_in_float32(name):
    model = MODELS[name]
    graph = ir.load(model.onnx_path)
    halve(graph)
    standardize(graph, "fp16")
    assert types_of(graph, *SENSITIVE) == {"FLOAT"}
    assert types_of(graph, "MatMul", "Gemm", "Conv") == {"FLOAT16"}
    rows = rows_for(model, 2, 12, 32_000)
    found, expected = run(graph, rows).astype(np.float32), run(model.onnx_path, rows)
    assert np.abs(found - expected).max() <= 0.01 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("name", ["text", "image", "grounding"])
def test_bfloat16_products_in_onnx_s_reference(name):
    """ONNX Runtime has no bfloat16 product on this processor, so ONNX's own evaluator runs the graph."""
    model = MODELS[name]
    graph = ir.load(model.onnx_path)
    store_narrow(graph, ir.DataType.BFLOAT16)
    standardize(graph, "bf16")
    assert types_of(graph, *SENSITIVE, "Add", "Conv") <= {"FLOAT", "INT64"}
    assert "BFLOAT16" in types_of(graph, "MatMul")
    rows = rows_for(model, 2, 7, 16_000)
    found = ReferenceEvaluator(ir.to_proto(graph)).run(None, rows)[0]
    assert found.dtype == np.float32
    assert np.abs(found - run(model.onnx_path, rows)).max() <= 0.03


def test_products_are_narrowed_where_the_weight_is_stored_so():
    graph = ir.load(MODELS["text"].onnx_path)
    store_narrow(graph, ir.DataType.FLOAT16)
    replace_attention(graph, ir.DataType.FLOAT16)
    assert narrow_products(graph, ir.DataType.FLOAT16) == 29
    assert narrow_products(graph, ir.DataType.BFLOAT16) == 0
    rows = rows_for(MODELS["text"], 3, 16, 16_000)
    assert np.abs(run(graph, rows) - run(MODELS["text"].onnx_path, rows)).max() <= 0.003


def test_float32_stays_float32():
    graph = ir.load(MODELS["image"].onnx_path)
    standardize(graph, "fp32")
    assert types_of(graph, "MatMul", "Gemm", "Conv", "Cast", *SENSITIVE) == {"FLOAT"}
