"""Every benchmark by name: which reader and which task belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from training.evaluation import made
from training.evaluation.benchmarks import (
    class_folders,
    picture_captions,
    project_tables,
    refcoco,
    sound_captions,
    sound_labels,
)
from training.evaluation.benchmarks.rows import ReadOptions
from training.evaluation.dataset import DataError, Labelled
from training.evaluation.model import EvaluatedModel
from training.evaluation.tasks import audio_labels, composed, cross, grounding, retrieval, zero_shot
from training.evaluation.tasks.result import Result, TaskOptions

Judge = Literal["prompts", "head"]
Outcome = tuple[str, Result | str]
"""A task's title, and its result or why it was left out."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user wants to have measured. `judge` None takes the benchmark's usual one for labels."""

    files: ReadOptions
    options: TaskOptions
    limit: int | None = None
    judge: Judge | None = None


Measurement = Callable[[EvaluatedModel], Iterator[Outcome]]
Preparation = Callable[[Request], Measurement]
"""Reads the data, so that what is wrong with it is known before a model is loaded."""

Data = TypeVar("Data", bound="Limitable")


class Limitable(Protocol):
    """A data set of which a part can be taken."""

    def limited(self: Data, count: int | None) -> Data:
        """At most `count` queries."""
        ...


def _one_task(
    read: Callable[[ReadOptions], Data],
    run: Callable[[EvaluatedModel, Data, TaskOptions], Result],
    *,
    whole: bool = False,
) -> Preparation:
    """One reader and one task; `whole`: the data is small, and a part of it would be an easier task."""

    def prepare(request: Request) -> Measurement:
        data = read(request.files).limited(None if whole else request.limit)

        def measure(model: EvaluatedModel) -> Iterator[Outcome]:
            result = run(model, data, request.options)
            yield result.title, result

        return measure

    return prepare


def _labels(read: Callable[[ReadOptions], Labelled], usual: Judge) -> Preparation:
    """Labels by prompts or by the trained head, as the user wants."""
    by_prompts, by_head = _one_task(read, zero_shot.run), _one_task(_sounds_only(read), audio_labels.run)
    return lambda request: (by_head if (request.judge or usual) == "head" else by_prompts)(request)


def _sounds_only(read: Callable[[ReadOptions], Labelled]) -> Callable[[ReadOptions], Labelled]:
    def read_sounds(options: ReadOptions) -> Labelled:
        data = read(options)
        if data.kind != "audio":
            raise DataError("the trained head labels sounds, not pictures")
        return data

    return read_sounds


def _made(request: Request) -> Measurement:
    data = made.read_made(request.files).limited(request.limit)
    return lambda model: made.measure(model, data, request.options)


PREPARATIONS: dict[str, Preparation] = {
    "imagenet": _labels(class_folders.read_imagenet, "prompts"),
    "folders": _labels(class_folders.read_folders, "prompts"),
    "coco": _one_task(picture_captions.read_coco, retrieval.run),
    "flickr30k": _one_task(picture_captions.read_flickr30k, retrieval.run),
    "refcoco": _one_task(refcoco.read_refcoco, grounding.run),
    "refcoco+": _one_task(refcoco.read_refcoco_plus, grounding.run),
    "refcocog": _one_task(refcoco.read_refcocog, grounding.run),
    "esc50": _labels(sound_labels.read_esc50, "prompts"),
    "vggsound": _labels(sound_labels.read_vggsound, "head"),
    "fsd50k": _labels(sound_labels.read_fsd50k, "head"),
    "audiocaps": _one_task(sound_captions.read_audiocaps, retrieval.run),
    "clotho": _one_task(sound_captions.read_clotho, retrieval.run),
    "tsv-labels": _labels(project_tables.read_labels, "prompts"),
    "tsv-captions": _one_task(project_tables.read_captions, retrieval.run),
    "tsv-regions": _one_task(project_tables.read_regions, grounding.run),
    "cross": _one_task(project_tables.read_cross, cross.run),
    "composed": _one_task(project_tables.read_composed, composed.run, whole=True),
    "made": _made,
}
