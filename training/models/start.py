"""The model that a run trains: new, or from a checkpoint in the released format; and back into one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.one_peace.checkpoint import Checkpoint, CheckpointError, load_checkpoint, released_name, write_checkpoint
from export.one_peace.config import EncoderConfig, HeadConfig, Modality, ModelConfig
from training.configuration import RunError, RunSettings, Task
from training.models.finetuning import GroundingModel, LabelModel
from training.models.initialization import initialize, initialize_filterbank, model_config
from training.models.pretraining import DenoisingOptions, PretrainingModel, freeze_audio, freeze_for_audio

_TABLE = re.compile(r"(adapters\.\w+\.position_bias\.tables\.)\d+$")
_PRETRAINING: tuple[Task, ...] = ("vision_language", "audio_language")
_BRANCHES: dict[Task, tuple[Modality, ...]] = {
    "vision_language": ("text", "image"),
    "audio_language": ("text", "audio"),
    "grounding": ("text", "image"),
    "audio_labels": ("audio",),
}
Trained = PretrainingModel | GroundingModel | LabelModel


def build_model(settings: RunSettings, vocabulary_size: int, num_labels: int) -> Trained:
    """The model of a run's task, on the CPU, with its starting weights.

    Raises:
        RunError: the checkpoint can't be read, or lacks what the task needs.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    if settings.model is not None:
        config = model_config(settings.model, vocabulary_size)
        model = _pretraining_model(settings, config)
        initialize(model, config.encoder.layers, generator, settings.model.gain)
        if settings.model.filterbank:
            initialize_filterbank(model.embedder.get_submodule("adapters.audio.features.convs.0"))
        return _freeze(model, settings)
    checkpoint = _open(settings.start)
    _check(settings, checkpoint)
    config = checkpoint.config
    if "text" in _BRANCHES[settings.task] and config.text.vocabulary_size != vocabulary_size:
        raise RunError(
            f"{settings.start}: has {config.text.vocabulary_size} token ids, the vocabulary in data.bpe_dir "
            f"{vocabulary_size}"
        )
    if settings.image_size is not None:
        image = replace(config.image, image_size=settings.image_size, relative_bucket_size=settings.image_size // 16)
        config = replace(config, image=image)
    if settings.task in _PRETRAINING:
        model = _pretraining_model(settings, config)
        initialize(model, config.encoder.layers, generator)
        fill(model.embedder, checkpoint_weights(checkpoint))
        return _freeze(model, settings)
    return _finetuning_model(settings, config, checkpoint, num_labels, generator)


def config_of(model: Trained) -> ModelConfig:
    """The configuration of the part that is written as a checkpoint."""
    return model.embedder.config if isinstance(model, PretrainingModel) else model.classifier.config


def fill(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy the weights that the model shares with a checkpoint, by our names.

    A table of relative positions stands in for those of all layers, and one of a smaller image is resized
    bicubically; what the checkpoint lacks keeps its starting value.

    Raises:
        RunError: a weight has another shape.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            stored = weights.get(name, weights.get(_TABLE.sub(r"\g<1>0", name)))
            if stored is None:
                continue
            if "image.position_bias" in name and stored.shape != parameter.shape:
                stored = resize_image_table(stored, len(parameter))
            if stored.shape != parameter.shape:
                raise RunError(
                    f"'{name}' has shape {list(stored.shape)} in the checkpoint, {list(parameter.shape)} here"
                )
            parameter.copy_(stored)


def resize_image_table(table: Tensor, rows: int) -> Tensor:
    """Resize the (2g − 1)² offsets of an image's relative position table to `rows`; its last three rows are cls's."""
    side, wanted = round((len(table) - 3) ** 0.5), round((rows - 3) ** 0.5)
    cells = table[:-3].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    resized = F.interpolate(cells, size=(wanted, wanted), mode="bicubic", align_corners=True)
    return torch.cat([resized.permute(0, 2, 3, 1).reshape(wanted * wanted, -1).to(table.dtype), table[-3:]])


def checkpoint_weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """All weights of a checkpoint by our names, float32; a fine-tuned one may hold no `logit_scale`."""
    model = checkpoint.classify_model() if checkpoint.config.head else checkpoint.embedding_model()
    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
    if checkpoint.logit_scale is None:
        weights.pop("logit_scale", None)
    return weights


def write_trained(path: Path, model: Trained, weights: Mapping[str, Tensor]) -> None:
    """Write a trained model in the released format; `weights` are the whole model's, by name."""
    part, prefix = (
        (model.embedder, "embedder.") if isinstance(model, PretrainingModel) else (model.classifier, "classifier.")
    )
    state = {
        released_name(name.removeprefix(prefix)): weight.detach().cpu().contiguous()
        for name, weight in weights.items()
        if name.startswith(prefix)
    }
    write_checkpoint(path, part.config, state)


def _open(path: Path | None) -> Checkpoint:
    try:
        if path is None:
            raise RunError("`start` is missing")
        return load_checkpoint(path)
    except CheckpointError as error:
        raise RunError(str(error)) from error


def _check(settings: RunSettings, checkpoint: Checkpoint) -> None:
    for modality in _BRANCHES[settings.task]:
        if modality not in checkpoint.config.modalities:
            raise RunError(f"{settings.start}: has no {modality} branch, which the task {settings.task} needs")
    if settings.task in _PRETRAINING and checkpoint.config.head is not None:
        raise RunError(f"{settings.start}: holds a classify model; the task {settings.task} needs an embedding model")


def _pretraining_model(settings: RunSettings, config: ModelConfig) -> PretrainingModel:
    other: Modality = "image" if settings.task == "vision_language" else "audio"
    denoising = settings.denoising
    decoder = EncoderConfig(denoising.dim, 2 * denoising.dim, denoising.layers, denoising.heads)
    return PretrainingModel(config, other, decoder, DenoisingOptions(rows=denoising.rows, every=denoising.every))


def _freeze(model: PretrainingModel, settings: RunSettings) -> PretrainingModel:
    if settings.task == "vision_language":
        freeze_audio(model)
    elif not settings.unfreeze:
        freeze_for_audio(model)
    return model


def _finetuning_model(
    settings: RunSettings, config: ModelConfig, checkpoint: Checkpoint, num_labels: int, generator: torch.Generator
) -> GroundingModel | LabelModel:
    grounding = settings.task == "grounding"
    modalities: tuple[Modality, ...] = ("text", "image") if grounding else ("audio",)
    head = HeadConfig(num_classes=4, use_image_features=True) if grounding else HeadConfig(num_classes=num_labels)
    typed = {name: replace(getattr(config, name), add_type_embedding=True) for name in ("text", "image", "audio")}
    config = replace(config, modalities=modalities, head=head, **typed)
    model = GroundingModel(config) if grounding else LabelModel(config, settings.label_smoothing, settings.multi_label)
    initialize(model, config.encoder.layers, generator)
    fill(model.classifier, checkpoint_weights(checkpoint))
    return model
