"""What tracing puts in place of PyTorch's kernels: one operator for attention, a bias made of few copies.

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

STRIP = 32  # keys; measured against 16 and 64: `docs/export.md`


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


class StripedSequenceBias(nn.Module):
    """Bias matrices of text or audio, put together at run time from strips of `STRIP` neighbouring keys.

    Without cls a bias is one number for each distance, so the strip of keys s·STRIP … of query i is a window into
    those numbers that starts at i − s·STRIP. Gathering strips copies runs of memory; gathering single numbers does
    not. The strips hang on nothing that changes, so ONNX Runtime makes them once, when it loads the model.
    """

    def __init__(self, bias: PositionBias, longest: int) -> None:
        super().__init__()
        self.longest = longest
        buckets = bias.buckets(longest + 1)[1:, 1:]  # without cls
        by_distance = torch.cat([buckets[0].flip(0), buckets[1:, 0]])  # distance 1 − longest … longest − 1
        cls_rows = bias.buckets(2)[[0, 1, 0], [1, 0, 0]]
        index = torch.cat([by_distance, cls_rows])
        self.before = (longest - 1) // STRIP * STRIP  # strips that start at a negative distance
        self.windows = nn.Buffer(self._windows().to(torch.int32))  # [strips, STRIP]
        self.values = nn.ParameterList([table.detach()[index].T.contiguous() for table in bias.tables])

    def _windows(self) -> Tensor:
        """Numbers of each strip: by distance, then of the query cls without its key, then of the keys from cls on."""
        query_cls, key_cls, both_cls = range(2 * self.longest - 1, 2 * self.longest + 2)
        starts = torch.arange(-self.before, self.longest)
        distances = (starts[:, None] - torch.arange(STRIP)).clamp(1 - self.longest)
        strips = distances + self.longest - 1
        top = torch.full((1, STRIP), query_cls)
        left = strips[self.before :].clone()
        left[:, 0], left[0], left[0, 0] = key_cls, query_cls, both_cls
        return torch.cat([strips, top, left])

    def forward(self, length: int) -> tuple[Tensor, ...]:
        """Bias matrices [1, H, T, T]; T beyond the longest input is an error of the gather."""
        query = torch.arange(length)[:, None]
        strip = torch.arange((length + STRIP - 1) // STRIP)[None, :]
        top = self.before + self.longest
        index = torch.where(query == 0, top, query - strip * STRIP + self.before)
        index = torch.where(strip == 0, query + top + 1, index)  # [T, strips]
        strips = [_gather(values, self.windows) for values in self.values]  # each [H, windows, STRIP]
        return tuple(_gather(part, index).flatten(2)[:, :, :length].unsqueeze(0) for part in strips)


class GatheredImageBias(nn.Module):
    """Bias matrices of an image, gathered by an index that all layers share.

    They are the same for every input, so ONNX Runtime makes them once, when it loads the model.
    """

    def __init__(self, bias: PositionBias, length: int) -> None:
        super().__init__()
        self.index = nn.Buffer(bias.buckets(length).to(torch.int32))  # [T, T]
        self.values = nn.ParameterList([table.detach().T.contiguous() for table in bias.tables])  # each [H, rows]

    def forward(self, length: int) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Bias matrices [1, H, T, T]."""
        return tuple(_gather(values, self.index).unsqueeze(0) for values in self.values)


def _gather(values: Tensor, index: Tensor) -> Tensor:
    """`values` [H, n, …] at `index` int32 or int64 [a, b]: [H, a, b, …], as one ONNX `Gather`."""
    return values.index_select(1, index.flatten()).reshape(values.shape[0], *index.shape, *values.shape[2:])


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
            adapter.position_bias = _traceable(bias, _longest(modality, model.config))


def _traceable(bias: PositionBias, longest: int) -> nn.Module:
    if isinstance(bias, SequenceBias):
        return StripedSequenceBias(bias, longest)
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
