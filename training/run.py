"""One run, from its settings to its result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.utils.data import DataLoader

from export.one_peace.config import ModelConfig
from export.tokenizer import build_tokenizer
from export.vocabulary import DICTIONARY_FILE, SPECIALS
from training.configuration import RunError, RunSettings
from training.data.batches import BatchPlan, Share, join
from training.data.examples import DataOptions, ExampleSet
from training.distributed import process_group, rank, world_size
from training.models.pretraining import PretrainingModel
from training.models.start import Trained, build_model
from training.trainer import Trainer


def train(settings: RunSettings, until: int | None = None) -> None:
    """Run, or go on with, what the settings say; `until` stops earlier, as a kill between two steps would.

    Raises:
        RunError: the run can't start.
        TableError: a table or a file can't be used.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # loaders fork
    with process_group() as device:
        labels = _read_labels(settings)
        tokenizer = build_tokenizer(settings.data.bpe_dir)
        model = build_model(settings, vocabulary_size(settings.data.bpe_dir), len(labels))
        config = _config(model)
        loader = _loader(settings, tokenizer, config, labels, validation=False)
        validation = _loader(settings, tokenizer, config, labels, validation=True) if settings.data.validation else None
        Trainer(settings, model, loader, validation, device).run(until)


def vocabulary_size(bpe_dir: Path) -> int:
    """Token ids of a vocabulary, fillers included: rows of the text adapter's table."""
    lines = (bpe_dir / DICTIONARY_FILE).read_text(encoding="utf-8").splitlines()
    return len(SPECIALS) + len(lines)


def _config(model: Trained) -> ModelConfig:
    return model.embedder.config if isinstance(model, PretrainingModel) else model.classifier.config


def _read_labels(settings: RunSettings) -> tuple[str, ...]:
    path = settings.data.labels
    if path is None:
        return ()
    try:
        return tuple(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"data.labels: {path} can't be read: {error}") from error


def _loader(
    settings: RunSettings, tokenizer: Tokenizer, config: ModelConfig, labels: tuple[str, ...], validation: bool
) -> DataLoader[Any]:
    data, task = settings.data, settings.task
    options = DataOptions(
        media="image" if task in ("vision_language", "grounding") else "audio",
        target={"grounding": "region", "audio_labels": "label"}.get(task, "none"),  # type: ignore[arg-type]
        min_scale=1.0 if task == "grounding" else data.min_scale,
        max_seconds=data.max_seconds,
        augment=not validation,
        labels=labels,
    )
    examples = ExampleSet(data.validation if validation else data.train, tokenizer, config, options)
    examples.seed = settings.seed
    seed = settings.seed + (1 if validation else 0)
    lengths: np.ndarray = examples.durations_s()
    try:
        plan = BatchPlan(lengths, settings.batch_size, seed, Share(rank(), world_size()))
    except ValueError as error:
        raise RunError(f"batch_size: {error}") from error
    workers = 0 if validation else data.workers
    return DataLoader(
        examples,
        batch_sampler=plan,
        collate_fn=join,
        num_workers=workers,
        prefetch_factor=8 if workers else None,
        worker_init_fn=_one_thread,
        pin_memory=torch.cuda.is_available(),
    )


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
