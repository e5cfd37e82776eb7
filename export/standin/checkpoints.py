"""The stand-in's checkpoints: random weights in the released format, small enough to be kept in the project."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from export.one_peace.config import EncoderConfig, HeadConfig, ModelConfig
from export.one_peace.random_checkpoint import RELEASED_STRIDES, random_config, write_random_checkpoint
from export.standin.vocabulary import write_vocabulary

LABELS_FILE = Path(__file__).with_name("audio_labels.txt")
ENCODER = EncoderConfig(dim=128, ffn_dim=256, layers=3, heads=2)  # small enough for a repository of 20 MB
BUCKETS = (256, 16, 512)  # text, side of the learned image grid, audio: as released
AUDIO_CHANNELS = 64
IMAGE_SIZE = 256  # pixels, as released (grounding: 384)

# Factors on the random weights, by parts of their names; the first match counts. Found by trial: without
# them all sounds have cosines above 0.95, because positions and biases, equal for all inputs, outweigh the content.
_FACTORS = (
    (re.compile(r"position_embedding$|cls_position$|cls_token$"), 0.1),
    (re.compile(r"\.bias$"), 0.1),
    (re.compile(r"\.(query|key)\.weight$"), 3.0),
    (re.compile(r"patches\.conv_3\.weight$|features\.projection\.weight$"), 8.0),
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
    write_random_checkpoint(path, config, seed, factor=_factor)


def _factor(name: str) -> float:
    return next((factor for pattern, factor in _FACTORS if pattern.search(name)), 1.0)


def _config(vocabulary_size: int, head_type: str, head: HeadConfig | None = None) -> ModelConfig:
    config = random_config(
        ENCODER,
        head_type=head_type,
        head=head,
        vocabulary_size=vocabulary_size,
        image_size=IMAGE_SIZE,
        buckets=BUCKETS,
    )
    layers = tuple((AUDIO_CHANNELS, kernel, stride) for kernel, stride in RELEASED_STRIDES)
    return replace(config, audio=replace(config.audio, feature_layers=layers))
