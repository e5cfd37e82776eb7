"""The stand-in's checkpoints: random weights in the released format, small enough to be kept in the project."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from export.one_peace.checkpoint import released_config
from export.one_peace.config import EncoderConfig, HeadConfig, ModelConfig
from export.one_peace.random_checkpoint import RELEASED_STRIDES, random_config, random_state
from export.standin.vocabulary import write_vocabulary

LABELS_FILE = Path(__file__).with_name("audio_labels.txt")
# Small enough for a repository of 20 MB, of which position biases take a third.
ENCODER = EncoderConfig(dim=128, ffn_dim=256, layers=3, heads=2)
HEAD_ENCODER = EncoderConfig(dim=64, ffn_dim=192, layers=3, heads=2)  # of grounding and audio labels
BUCKETS = (256, 16, 512)  # text, side of the learned image grid, audio: as released
AUDIO_CHANNELS = 64
IMAGE_SIZE = 256  # pixels, as released
GROUNDING_IMAGE_SIZE = 224  # pixels; as released, another size than that of the learned grid

# Factors on the random weights, by parts of their released names; the first match counts. Found by trial: without
# them all sounds have cosines above 0.95, because positions and biases, equal for all inputs, outweigh the content.
_FACTORS = (
    (re.compile(r"pos_embed|cls_embedding|embed_positions\.weight"), 0.1),
    (re.compile(r"\.bias$"), 0.1),
    (re.compile(r"\.[qk]_proj\.weight"), 3.0),
    (re.compile(r"embed_images\.6\.weight|embed_audios\.3\.weight"), 8.0),
)


@dataclass(frozen=True, slots=True)
class StandinFiles:
    """What `write_checkpoints` wrote."""

    bpe_dir: Path
    retrieval: Path
    grounding: Path
    audio_labels: Path


def write_checkpoints(folder: Path, seed: int = 0) -> StandinFiles:
    """Write the vocabulary and three checkpoints into `folder`. Equal seeds give equal weights."""
    files = StandinFiles(
        folder / "bpe", *(folder / f"{name}.pt" for name in ("retrieval", "grounding", "audio_labels"))
    )
    size = write_vocabulary(files.bpe_dir)
    grounding = HeadConfig(num_classes=4, use_image_features=True)
    audio_labels = HeadConfig(num_classes=len(LABELS_FILE.read_text(encoding="utf-8").splitlines()))
    _write(files.retrieval, _config(size, "val"), seed)
    _write(files.grounding, _config(size, "vl", grounding), seed + 1)
    _write(files.audio_labels, _config(size, "audio", audio_labels), seed + 2)
    return files


def _write(path: Path, config: ModelConfig, seed: int) -> None:
    state = {name: _scaled(name, weight) for name, weight in random_state(config, seed, torch.float32).items()}
    torch.save({"args": None, "cfg": released_config(config), "model": state}, path)


def _scaled(name: str, weight: Tensor) -> Tensor:
    factor = next((factor for pattern, factor in _FACTORS if pattern.search(name)), 1.0)
    return (weight * factor).half()


def _config(vocabulary_size: int, head_type: str, head: HeadConfig | None = None) -> ModelConfig:
    config = random_config(
        ENCODER if head is None else HEAD_ENCODER,
        head_type=head_type,
        head=head,
        vocabulary_size=vocabulary_size,
        image_size=GROUNDING_IMAGE_SIZE if head_type == "vl" else IMAGE_SIZE,
        buckets=BUCKETS,
    )
    layers = tuple((AUDIO_CHANNELS, kernel, stride) for kernel, stride in RELEASED_STRIDES)
    return replace(config, audio=replace(config.audio, feature_layers=layers))
