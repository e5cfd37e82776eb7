"""A run's settings: one YAML file, checked before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Beta = Annotated[float, Field(ge=0, lt=1)]
Task = Literal["vision_language", "audio_language", "grounding", "audio_labels"]
LOSSES: dict[Task, frozenset[str]] = {
    "vision_language": frozenset({"contrast", "text", "image", "joint_text", "joint_image"}),
    "audio_language": frozenset({"contrast", "text", "audio", "joint_text", "joint_audio"}),
    "grounding": frozenset({"l1", "giou"}),
    "audio_labels": frozenset({"cross_entropy"}),
}
"""Losses of each task, by the names under which they are weighted and reported."""

_WITHOUT_EFFECT: Any = {
    "out": True,
    "threads": True,
    "parallel": True,
    "activation_checkpointing": True,
    "log_every": True,
    "validate_every": True,
    "validation_batches": True,
    "save_every": True,
    "data": {"workers", "validation"},
}


class RunError(Exception):
    """A run that can't start; the message names the setting or the file."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSettings(_Section):
    """Sizes of a model that starts from random weights."""

    dim: int = Field(ge=16, description="width D")
    ffn_dim: int = Field(ge=16, description="inner width of the feed-forward networks")
    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    image_size: int = Field(256, ge=16, multiple_of=16, description="side in pixels")
    text_buckets: int = Field(256, ge=4, description="buckets of the text's relative positions")
    audio_buckets: int = Field(512, ge=4, description="buckets of the audio's relative positions")
    audio_layers: list[tuple[int, int, int]] = Field(
        [(512, 10, 5), *[(512, 3, 2)] * 4, *[(512, 2, 2)] * 2],
        description="channels, kernel and stride of the waveform convolutions",
    )
    audio_position_depth: int = Field(5, ge=1)
    audio_position_width: int = Field(95, ge=3)
    audio_position_groups: int = Field(16, ge=1)
    filterbank: bool = Field(False, description="start the first waveform convolution as a bank of band-pass filters")
    gain: float = Field(1.0, gt=0, description="start of the gains on residual branches (LayerScale)")

    @model_validator(mode="after")
    def _check(self) -> ModelSettings:
        for name, count in (("heads", self.heads), ("audio_position_groups", self.audio_position_groups)):
            if self.dim % count:
                raise ValueError(f"dim {self.dim} is not a multiple of {name} {count}")
        return self


class DataSettings(_Section):
    """What is read."""

    train: list[Path] = Field(min_length=1, description="tables (TSV), or folders with a folder for each class")
    validation: list[Path] = Field(default=[], description="the same; empty: no validation")
    bpe_dir: Path = Field(description="folder of encoder.json, vocab.bpe and dict.txt")
    labels: Path | None = Field(None, description="text file of class names, one a line; for audio_labels")
    text: Literal["text", "label"] = Field("text", description="column of the tables that is read as the text")
    workers: int = Field(2, ge=0, description="processes that decode")
    min_scale: float = Field(1.0, gt=0, le=1, description="area of random crops of pictures, as a share")
    max_stretch: float = Field(1.0, ge=1, le=2, description="width over height of such crops at most, and its inverse")
    colour_jitter: float = Field(0.0, ge=0, lt=1, description="random gain of red, green and blue: 1 ± this")
    max_seconds: float = Field(15.0, ge=1, le=15, description="longer clips are cut at a random place")
    max_speed: float = Field(1.0, ge=1, le=2, description="clips are played up to this much faster or slower")


class DenoisingSettings(_Section):
    """The denoising contrast of pretraining. `rows: 0` turns it off, which is fine-tuning for retrieval."""

    rows: float = Field(1.0, ge=0, le=1, description="share of each batch that is denoised")
    every: int = Field(1, ge=1, description="forward passes from one that denoises to the next")
    layers: int = Field(2, ge=1, description="of the decoder")
    dim: int = Field(64, ge=16, description="width of the decoder")
    heads: int = Field(2, ge=1, description="of the decoder")

    @model_validator(mode="after")
    def _check(self) -> DenoisingSettings:
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        return self


class OptimizerSettings(_Section):
    """AdamW, linear warm-up, then a cosine down to `final_ratio`."""

    learning_rate: float = Field(gt=0)
    final_ratio: float = Field(0.01, ge=0, le=1)
    warmup_steps: int = Field(0, ge=0)
    weight_decay: float = Field(0.05, ge=0)
    betas: tuple[Beta, Beta] = (0.9, 0.98)
    clip_norm: float = Field(1.0, gt=0)
    layer_decay: float = Field(1.0, gt=0, le=1, description="factor on the rate for each layer away from the top")
    ema: float | None = Field(None, gt=0, lt=1, description="decay of averaged weights; off by default")


class RunSettings(_Section):
    """Everything that a run needs. Paths are relative to the working directory."""

    task: Task
    out: Path = Field(description="folder of checkpoints, log and curves")
    seed: int = Field(0, ge=0)
    start: Path | None = Field(None, description="checkpoint to start from, in the released format")
    model: ModelSettings | None = Field(None, description="sizes, when there is no `start`")
    image_size: int | None = Field(None, ge=16, multiple_of=16, description="side in pixels, when other than `start`'s")
    data: DataSettings
    steps: int = Field(ge=1, description="optimiser steps")
    batch_size: int = Field(ge=1, description="examples of one forward pass, over all processes")
    accumulate: int = Field(1, ge=1, description="forward passes for one optimiser step; each is its own contrast")
    denoising: DenoisingSettings = DenoisingSettings.model_validate({})
    optimizer: OptimizerSettings
    loss_weights: dict[str, float] = Field(default={}, description="factor on each loss; 1 where none is given")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    unfreeze: bool = Field(False, description="audio_language trains text and attention too, to fine-tune retrieval")
    multi_label: bool = Field(False, description="audio_labels: several labels a clip, commas between; sigmoid")
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    parallel: Literal["ddp", "fsdp"] = "ddp"
    activation_checkpointing: bool = False
    threads: int | None = Field(None, ge=1, description="of PyTorch on the CPU")
    log_every: int = Field(20, ge=1)
    validate_every: int = Field(500, ge=1)
    validation_batches: int = Field(20, ge=1)
    save_every: int = Field(500, ge=1)

    @model_validator(mode="after")
    def _check(self) -> RunSettings:
        if (self.start is None) == (self.model is None):
            raise ValueError("give either `start`, a checkpoint, or `model`, sizes of a new one")
        if self.task == "audio_labels" and self.data.labels is None:
            raise ValueError("`data.labels` is needed for the task audio_labels")
        if self.model is not None and self.image_size is not None:
            raise ValueError("`image_size` changes that of `start`; a new model's is `model.image_size`")
        unknown = sorted(self.loss_weights.keys() - LOSSES[self.task])
        if unknown:
            names = ", ".join(sorted(LOSSES[self.task]))
            raise ValueError(f"loss_weights: the task {self.task} has no loss '{unknown[0]}', only {names}")
        if self.start is None and self.task != "vision_language":
            raise ValueError(f"the task {self.task} needs a checkpoint as `start`")
        return self


def differences(one: RunSettings, other: RunSettings) -> list[str]:
    """Names of the settings that decide on the result and are not the same in both, such as `model.dim`."""
    return _different(
        one.model_dump(mode="json", exclude=_WITHOUT_EFFECT), other.model_dump(mode="json", exclude=_WITHOUT_EFFECT)
    )


def _different(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> list[str]:
    names = []
    for name in sorted(one.keys() | other.keys()):
        first, second = one.get(name), other.get(name)
        if isinstance(first, dict) and isinstance(second, dict):
            names += _different(first, second, f"{prefix}{name}.")
        elif first != second:
            names.append(prefix + name)
    return names


def read_run(path: Path, overrides: dict[str, Any] | None = None) -> RunSettings:
    """The settings of a YAML file, with top-level settings replaced by `overrides`.

    Raises:
        RunError: the file can't be read, or a setting is unknown, missing or out of bounds; the message names it.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RunError(f"{path}: can't be read: {error}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path}: holds no settings")
    try:
        return RunSettings.model_validate({**content, **(overrides or {})})
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'run'}: {e['msg']}" for e in error.errors())
        raise RunError(f"{path}: {found}") from error
