"""Attention of standard operators against the fused one, on every committed model."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from export.standard_attention import replace_attention
from service.repository import read_repository
from tests.export.committed import LENGTHS, rows_for, run
from tests.repository import REPOSITORY

MODELS = read_repository(REPOSITORY)


@pytest.fixture(scope="module", params=MODELS)
def pair(request):
    """A model and its graph without fused attention."""
    graph = ir.load(MODELS[request.param].onnx_path)
    assert replace_attention(graph) == 4
    return MODELS[request.param], graph


def test_only_standard_operators_are_left(pair):
    _, graph = pair
    assert {node.domain for node in graph.graph} == {""}
    assert list(graph.opset_imports) == [""]
    onnx.checker.check_model(ir.to_proto(graph), full_check=True)


def test_boolean_padding_goes_through_integers(pair):
    _, graph = pair
    assert all(node.inputs[0].dtype != ir.DataType.BOOL for node in graph.graph if node.op_type == "Pad")


@pytest.mark.parametrize("lengths", LENGTHS)
def test_it_gives_what_the_fused_one_gives(pair, lengths):
    model, graph = pair
    rows = rows_for(model, *lengths)
    found, expected = run(graph, rows), run(model.onnx_path, rows)
    assert np.abs(found - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


def test_a_row_does_not_depend_on_its_padding(pair):
    model, graph = pair
    tight, wide = (run(graph, rows_for(model, 2, 16, 32_000, padding)) for padding in (0, 1.5))
    assert np.abs(tight - wide).max() <= 1e-5 * max(1, np.abs(tight).max())


def test_a_graph_without_attention_stays_as_it_is():
    graph = ir.load(MODELS["text"].onnx_path)
    replace_attention(graph)
    nodes = len(list(graph.graph))
    assert replace_attention(graph) == 0
    assert len(list(graph.graph)) == nodes
