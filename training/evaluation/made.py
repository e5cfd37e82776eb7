"""The project's own test split: every task on the pictures, sounds, speech and scenes that `training/data` made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from training.data.concepts import concept_table
from training.evaluation.benchmarks.project_tables import (
    COLOURS,
    PICTURES,
    SCENES,
    SOUNDS,
    SPEECH,
    lines_of,
    paired,
    read_regions,
)
from training.evaluation.benchmarks.rows import ReadOptions, sort_by_presence
from training.evaluation.dataset import DataError, Grounded, Labelled, LabelledFile, MediaKind, Paired
from training.evaluation.model import EvaluatedModel, NotServed
from training.evaluation.remembered_model import RememberedModel
from training.evaluation.tasks import audio_labels, composed, cross, grounding, zero_shot
from training.evaluation.tasks.result import Result, TaskOptions

PICTURE_TEMPLATES = ("{}", "a picture of {}", "a drawing of {}", "an image of {}", "this is {}")
SOUND_TEMPLATES = ("the sound of {}", "this is a sound of {}", "one hears {}")
SPEECH_TEMPLATES = ("somebody says {}", "the word {}", "a voice says {}")
"""Captions of the made data (`training/data/concepts.yaml`); after "says" and "word" stands the bare name."""


@dataclass(frozen=True, slots=True)
class MadeData:
    """The test split's tables, read."""

    pictures: Labelled
    sounds: Labelled
    speech: Labelled
    seen_and_heard: Paired
    seen_and_said: Paired
    coloured: Paired
    scenes: Grounded

    def limited(self, count: int | None) -> MadeData:
        """At most `count` queries of each task; the pictures of which galleries are drawn all stay."""
        return MadeData(
            self.pictures.limited(count),
            self.sounds.limited(count),
            self.speech.limited(count),
            self.seen_and_heard.limited(count),
            self.seen_and_said.limited(count),
            self.coloured,
            self.scenes.limited(count),
        )


def read_made(options: ReadOptions) -> MadeData:
    """`DATA/test/` (or DATA itself) with pictures, colours, scenes, sounds and speech, each a `.tsv`.

    Raises:
        DataError: a table is missing or not as expected.
    """
    split = options.data / (options.split or "test")
    folder = split if split.is_dir() else options.data
    table = concept_table()
    bare = tuple(thing.name for thing in table.things)
    names = tuple(map(table.with_article, bare))
    return MadeData(
        pictures=_things(folder / PICTURES, "image", names, PICTURE_TEMPLATES),
        sounds=_things(folder / SOUNDS, "audio", names, SOUND_TEMPLATES),
        speech=_things(folder / SPEECH, "audio", bare, SPEECH_TEMPLATES),
        seen_and_heard=paired(folder / PICTURES, folder / SOUNDS),
        seen_and_said=paired(folder / PICTURES, folder / SPEECH),
        coloured=paired(folder / COLOURS, folder / SOUNDS),
        scenes=read_regions(ReadOptions(folder / SCENES)),
    )


def _things(file: Path, kind: MediaKind, names: tuple[str, ...], templates: tuple[str, ...]) -> Labelled:
    """Rows labelled with one of the things, which prompts call by `names`; drawn shapes are left out."""
    table = concept_table()
    classes = tuple(thing.name for thing in table.things)
    numbers = {name: number for number, name in enumerate(classes)}
    shapes = {shape.name for shape in table.shapes}
    items = []
    for line in lines_of(file):
        if line.last in numbers:
            items.append((line.path, LabelledFile(line.path, (numbers[line.last],))))
        elif line.last not in shapes:
            raise line.row.wrong(f"'{line.last}' is neither a thing nor a shape of concepts.yaml")
    if not items:
        raise DataError(f"{file}: no row has a thing's label")
    found, missing = sort_by_presence(items)
    return Labelled(kind, found, classes, names, templates=templates, missing=missing)


def measure(model: EvaluatedModel, data: MadeData, options: TaskOptions) -> Iterator[tuple[str, Result | str]]:
    """Each task's title, and its result or why it was left out.

    Raises:
        DataError: no file of a task is usable.
        ModelError: the model can't be asked.
    """
    remembered = RememberedModel(model)
    for title, task in _tasks(remembered, data, options):
        try:
            yield title, replace(task(), title=title)
        except (NotServed, audio_labels.HeadLacksLabels) as error:
            yield title, str(error)


def _tasks(model: EvaluatedModel, data: MadeData, options: TaskOptions) -> list[tuple[str, Callable[[], Result]]]:
    return [
        ("picture → name, zero-shot", partial(zero_shot.run, model, data.pictures, options)),
        ("sound → name, zero-shot", partial(zero_shot.run, model, data.sounds, options)),
        ("spoken word → name, zero-shot", partial(zero_shot.run, model, data.speech, options)),
        ("sound → picture", partial(cross.run, model, data.seen_and_heard, options)),
        ("spoken word → picture", partial(cross.run, model, data.seen_and_said, options)),
        ("sound + colour word → picture", partial(composed.run, model, data.coloured, options)),
        ("phrase → box", partial(grounding.run, model, data.scenes, options)),
        ("sound → label, trained head", partial(audio_labels.run, model, data.sounds, options)),
    ]
