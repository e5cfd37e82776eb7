"""The position biases that are traced against PyTorch's own, in PyTorch and in ONNX Runtime."""

from __future__ import annotations

import onnxruntime
import pytest
import torch
from torch import nn

from export.one_peace.positions import ImageBias, SequenceBias
from export.onnx_modules import STRIP, GatheredImageBias, StripedSequenceBias
from export.tracing import OPSET


class LengthOf(nn.Module):
    """A module of a length as one of an input [B, T]."""

    def __init__(self, bias):
        super().__init__()
        self.bias = bias

    def forward(self, x):
        return tuple(matrix + 0 * x.sum() for matrix in self.bias(x.shape[1]))


def filled(bias):
    torch.manual_seed(0)
    for table in bias.tables:
        table.data.normal_()
    return bias.requires_grad_(False)


def assert_equal(found, expected):
    assert len(found) == len(expected)
    assert all(torch.equal(torch.as_tensor(have), want) for have, want in zip(found, expected, strict=True))


@pytest.mark.parametrize("longest", [2, STRIP - 1, STRIP, STRIP + 1, 3 * STRIP, 101])
@pytest.mark.parametrize("tables", [1, 3])
def test_strips_give_the_bias_of_every_length(longest, tables):
    bias = filled(SequenceBias(24, 2, tables))
    strips = StripedSequenceBias(bias, longest)
    for length in range(2, longest + 1):
        assert_equal(strips(length), bias(length))


@pytest.mark.filterwarnings("ignore")  # the tracer meets its own deprecations
def test_strips_in_onnx_runtime_give_the_bias_of_every_length_and_refuse_longer_inputs(tmp_path):
    bias, path = filled(SequenceBias(24, 2, 2)), tmp_path / "bias.onnx"
    axes = {"x": dict.fromkeys((0, 1), torch.export.Dim.DYNAMIC)}
    program = torch.onnx.export(
        LengthOf(StripedSequenceBias(bias, 2 * STRIP + 5)).eval(),
        (torch.zeros(2, 7),),
        opset_version=OPSET,
        dynamic_shapes=axes,
        dynamo=True,
        verbose=False,
    )
    program.save(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    for rows, length in ((1, 2), (2, STRIP), (1, STRIP + 1), (3, 2 * STRIP + 5)):
        assert_equal(session.run(None, {"x": torch.zeros(rows, length).numpy()}), bias(length))
    with pytest.raises(Exception, match="out of data bounds"):
        session.run(None, {"x": torch.zeros(1, 2 * STRIP + 6).numpy()})


@pytest.mark.parametrize("tables", [1, 3])
def test_the_gathered_bias_of_an_image_is_pytorch_s(tables):
    bias = filled(ImageBias(6, 2, tables))
    assert_equal(GatheredImageBias(bias, 37)(37), bias(37))
