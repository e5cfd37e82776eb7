"""Sizes and options of a model, as a checkpoint's own configuration gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Modality = Literal["text", "image", "audio"]

# head_type of a checkpoint → the branches that it holds, in the order in which the encoder joins them
HEAD_MODALITIES: dict[str, tuple[Modality, ...]] = {
    "text": ("text",),
    "image": ("image",),
    "audio": ("audio",),
    "vl": ("text", "image"),
    "al": ("text", "audio"),
    "val": ("text", "image", "audio"),
}
PATCH = 16  # side of an image patch, pixels
MAX_RELATIVE_DISTANCE = 1024  # beyond it all distances share one bucket


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """What the three adapters share."""

    bucket_size: int
    layernorm_embedding: bool = False
    add_type_embedding: bool = False
    use_attn_bias: bool = True


@dataclass(frozen=True, slots=True)
class TextConfig(AdapterConfig):
    """Sizes of the text adapter."""

    vocabulary_size: int = 50264
    max_positions: int = 514


@dataclass(frozen=True, slots=True)
class ImageConfig(AdapterConfig):
    """Sizes of the image adapter. `bucket_size` is the side of the grid of learned positions."""

    image_size: int = 256
    relative_bucket_size: int = 16
    stem: Literal["hmlp", "mlp"] = "hmlp"

    @property
    def grid(self) -> int:
        """Patches along one side."""
        return self.image_size // PATCH


@dataclass(frozen=True, slots=True)
class AudioConfig(AdapterConfig):
    """Sizes of the audio adapter. `feature_layers` holds (channels, kernel, stride) of each waveform convolution."""

    feature_layers: tuple[tuple[int, int, int], ...] = ()
    conv_bias: bool = False
    position_depth: int = 5
    position_width: int = 95
    position_groups: int = 16
    max_duration_s: float = 15.0

    @property
    def position_kernel(self) -> int:
        """Width of each positional convolution, frames."""
        return max(3, self.position_width // self.position_depth)


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Sizes and options of the shared encoder."""

    dim: int
    ffn_dim: int
    layers: int
    heads: int
    scale_heads: bool = False
    norm_before_output: bool = True  # `magneto_scale_attn`
    norm_after_output: bool = False  # `scale_attn`
    norm_in_ffn: bool = True  # `scale_fc`
    layer_scale: bool = True

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.dim // self.heads


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """Sizes and options of the classify head."""

    num_classes: int
    scale_ratio: int = 2
    attention_pooling: bool = True
    use_pooler: bool = False
    use_image_features: bool = False
    use_two_images: bool = False


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Everything that fixes the shape of a model. `head` is None for an embedding model."""

    encoder: EncoderConfig
    text: TextConfig
    image: ImageConfig
    audio: AudioConfig
    modalities: tuple[Modality, ...]
    table_per_layer: bool = False
    head: HeadConfig | None = None
    max_text_tokens: int = 70  # without the end token

    @property
    def num_tables(self) -> int:
        """Relative position tables of each adapter: one for all layers, or one for each."""
        return self.encoder.layers if self.table_per_layer or self.head is not None else 1
