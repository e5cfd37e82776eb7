"""What tracing puts in place of PyTorch's kernels: one ONNX Runtime operator for attention, position bias as constants.

`com.microsoft.MultiHeadAttention` takes the bias of all heads and the padding of each row as separate inputs, so
no mask of the size of the scores is built. `docs/export.md` has the measurements behind this choice.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.one_peace.audio_adapter import max_frames
from export.one_peace.config import ModelConfig
from export.one_peace.encoder import EncoderLayer, FeedForward
from export.one_peace.model import OnePeace
from export.one_peace.positions import ImageBias, PositionBias, SequenceBias

MAX_CONSTANT_BYTES = 8 * 1024 * 1024  # of one adapter's bias matrices; larger ones are gathered at run time


class OnnxAttention(nn.Module):
    """Stands for `FusedAttention` while the graph is traced; it can't run in PyTorch."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, qkv: tuple[Tensor, Tensor, Tensor], bias: Tensor | None, padding: Tensor | None) -> Tensor:
        """Emit one operator for q, k, v [B, T, D], `bias` [1, H, T, T] and `padding` bool [B, T]."""
        keep = None if padding is None else (~padding).to(torch.int32)  # [B, T], 1 = a key to look at
        return torch.onnx.ops.symbolic(
            "com.microsoft::MultiHeadAttention",
            [*qkv, None, keep, bias],
            attrs={"num_heads": self.heads},
            dtype=qkv[0].dtype,
            shape=qkv[0].shape,
            version=1,
        )


class ConstantBias(nn.Module):
    """Bias matrices of the longest input; shorter ones take the corner, which is the same for every length."""

    def __init__(self, matrices: tuple[Tensor, ...]) -> None:
        super().__init__()
        self.longest = matrices[0].shape[-1]
        for number, matrix in enumerate(matrices):
            self.register_buffer(f"matrix_{number}", matrix)

    def forward(self, length: int) -> tuple[Tensor, ...]:
        """Bias matrices [1, H, T, T]."""
        if isinstance(length, int) and length == self.longest:
            return tuple(self.buffers())
        return tuple(matrix[:, :, :length, :length] for matrix in self.buffers())


class GatheredSequenceBias(nn.Module):
    """Bias matrices of text or audio, gathered at run time from one number for each distance."""

    def __init__(self, bias: PositionBias, longest: int) -> None:
        super().__init__()
        self.longest = longest
        buckets = bias.buckets(longest + 1)[1:, 1:]  # without cls
        by_distance = torch.cat([buckets[0].flip(0), buckets[1:, 0]])  # distance 1 − longest … longest − 1
        cls_rows = bias.buckets(2)[[0, 1, 0], [1, 0, 0]]
        index = torch.cat([by_distance, cls_rows])
        for number, table in enumerate(bias.tables):
            self.register_buffer(f"values_{number}", table.detach()[index].T.contiguous())  # [H, 2·longest + 2]

    def forward(self, length: int) -> tuple[Tensor, ...]:
        """Bias matrices [1, H, T, T]."""
        step = torch.arange(length)
        query, key = step[:, None], step[None, :]
        first = 2 * self.longest - 1
        index = torch.where(query == 0, first, query - key + self.longest - 1)
        index = torch.where(key == 0, torch.where(query == 0, first + 2, first + 1), index)  # [T, T]
        return tuple(values[:, index].unsqueeze(0) for values in self.buffers())


class GatheredImageBias(nn.Module):
    """Bias matrices of an image, gathered at run time by an index that all layers share."""

    def __init__(self, bias: PositionBias, length: int) -> None:
        super().__init__()
        self.index = nn.Buffer(bias.buckets(length).to(torch.int32))  # [T, T]
        self.values = nn.ParameterList([table.detach().T.contiguous() for table in bias.tables])  # each [H, rows]

    def forward(self, length: int) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Bias matrices [1, H, T, T]."""
        return tuple(values[:, self.index].unsqueeze(0) for values in self.values)


def prepare_for_tracing(model: OnePeace, *, fold_gains: bool) -> None:
    """Put the modules above in place. `fold_gains` multiplies the residual gains into the weights before them.

    Folding saves two multiplications in every layer; in half precision it would round small gains away.
    """
    model.requires_grad_(False)
    for layer in [module for module in model.modules() if isinstance(module, EncoderLayer)]:
        layer.attention.attend = OnnxAttention(model.config.encoder.heads)
        if fold_gains:
            _fold_gains(layer)
    for modality, adapter in model.adapters.items():
        bias = adapter.position_bias
        if isinstance(bias, PositionBias):
            adapter.position_bias = _frozen_bias(bias, _longest(modality, model.config))


def _frozen_bias(bias: PositionBias, longest: int) -> nn.Module:
    heads, table = bias.tables[0].shape[1], bias.tables[0]
    if len(bias.tables) * heads * longest**2 * table.element_size() <= MAX_CONSTANT_BYTES:
        return ConstantBias(tuple(matrix.contiguous() for matrix in bias(longest)))
    if isinstance(bias, SequenceBias):
        return GatheredSequenceBias(bias, longest)
    if isinstance(bias, ImageBias):
        return GatheredImageBias(bias, longest)
    raise TypeError(type(bias).__name__)


def _longest(modality: str, config: ModelConfig) -> int:
    """Positions of the longest input, cls included."""
    if modality == "text":
        return config.max_text_tokens + 2
    return config.image.grid**2 + 1 if modality == "image" else max_frames(config.audio) + 1


def _fold_gains(layer: EncoderLayer) -> None:
    if layer.attention_gain is not None and layer.attention_output_norm is None:
        _scale_outputs(layer.attention.output, layer.attention_gain)
        layer.attention_gain = None
    if layer.ffn_gain is not None:
        for ffn in [module for module in layer.modules() if isinstance(module, FeedForward)]:
            _scale_outputs(ffn.down, layer.ffn_gain)
        layer.ffn_gain = None


def _scale_outputs(linear: nn.Linear, gain: Tensor) -> None:
    linear.weight = nn.Parameter(linear.weight * gain[:, None], requires_grad=False)
    linear.bias = nn.Parameter(linear.bias * gain, requires_grad=False)
