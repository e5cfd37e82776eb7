"""One run, from its settings to its result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import torch
from tokenizers import Tokenizer

from export.one_peace.config import ModelConfig
from export.tokenizer import build_tokenizer
from export.vocabulary import DICTIONARY_FILE, SPECIALS, TokenizerError
from training.configuration import RunError, RunSettings
from training.data.batches import BatchPlan, Share
from training.data.examples import DataOptions, ExampleSet
from training.data.feed import Feed
from training.distributed import process_group, rank, world_size
from training.models.start import build_model, config_of
from training.trainer import Feeds, Trainer

_TARGETS: dict[str, Literal["none", "region", "label"]] = {"grounding": "region", "audio_labels": "label"}


def train(settings: RunSettings, until: int | None = None) -> None:
    """Run, or go on with, what the settings say; `until` stops earlier, as a kill between two steps would.

    Raises:
        RunError: the run can't start.
        TableError: a table or a file can't be used.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the loaders fork
    with process_group() as device:
        labels = _read_labels(settings.data.labels)
        tokenizer, vocabulary_size = _read_vocabulary(settings.data.bpe_dir)
        model = build_model(settings, vocabulary_size, len(labels))
        config = config_of(model)
        feeds = Feeds(
            _feed(settings, tokenizer, config, _options(settings, labels, augment=True)),
            _feed(settings, tokenizer, config, _options(settings, labels, augment=False))
            if settings.data.validation
            else None,
        )
        Trainer(settings, model, feeds, device).run(until)


def _read_vocabulary(bpe_dir: Path) -> tuple[Tokenizer, int]:
    """The tokenizer, and the number of token ids, fillers included: rows of the text adapter's table."""
    try:
        tokenizer = build_tokenizer(bpe_dir)
        lines = (bpe_dir / DICTIONARY_FILE).read_text(encoding="utf-8").splitlines()
    except TokenizerError as error:
        raise RunError(f"data.bpe_dir: {error}") from error
    return tokenizer, len(SPECIALS) + len(lines)


def _read_labels(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    try:
        labels = tuple(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"data.labels: {path} can't be read: {error}") from error
    for number, label in enumerate(labels, start=1):
        if not label.strip() or label in labels[: number - 1]:
            raise RunError(f"data.labels: {path}, line {number}: '{label}' is blank or stands there twice")
    return labels


def _options(settings: RunSettings, labels: tuple[str, ...], *, augment: bool) -> DataOptions:
    task, data = settings.task, settings.data
    crops = augment and task != "grounding"
    return DataOptions(
        media="image" if task in ("vision_language", "grounding") else "audio",
        target=_TARGETS.get(task, "none"),
        min_scale=data.min_scale if crops else 1.0,
        max_stretch=data.max_stretch if crops else 1.0,
        colour_jitter=data.colour_jitter if augment else 0.0,
        text=data.text,
        max_seconds=data.max_seconds,
        max_speed=data.max_speed if augment else 1.0,
        augment=augment,
        labels=labels,
        multi_label=settings.multi_label,
    )


def _feed(settings: RunSettings, tokenizer: Tokenizer, config: ModelConfig, options: DataOptions) -> Feed:
    data = settings.data
    paths, workers = (data.train, data.workers) if options.augment else (data.validation, 0)
    examples = ExampleSet(paths, tokenizer, config, options)
    examples.seed = settings.seed
    share = Share(rank(), world_size())
    try:
        plan = BatchPlan(examples.durations_s(), settings.batch_size, settings.seed, share)
    except ValueError as error:
        raise RunError(f"batch_size: {error}") from error
    return Feed(examples, plan, workers)
