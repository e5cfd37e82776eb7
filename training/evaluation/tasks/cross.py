"""Sound → picture: which picture of a gallery, one for each label, shows what is heard."""

from __future__ import annotations

import numpy as np

from training.evaluation.dataset import Paired
from training.evaluation.model import EvaluatedModel
from training.evaluation.tasks.gallery_search import recalls, search
from training.evaluation.tasks.labelled_vectors import embed_labelled
from training.evaluation.tasks.result import Result, TaskOptions, require_items


def run(model: EvaluatedModel, data: Paired, options: TaskOptions) -> Result:
    """R@1, R@5, R@10 of all sounds, meant over random galleries. Labels without a picture or a sound are left out.

    Raises:
        DataError: the pictures and the sounds share no label.
        ModelError: the model can't be asked.
    """
    shared = {item.label for item in data.pictures} & data.labels_heard()
    require_items(sorted(shared), "labels that pictures and sounds share")
    pictures = embed_labelled(model, "image", [item for item in data.pictures if item.label in shared])
    sounds = embed_labelled(model, "audio", [item for item in data.sounds if item.label in shared])
    labels = sorted(pictures.numbers)
    places = {label: place for place, label in enumerate(labels)}
    numbers = [number for number, item in enumerate(sounds.items) if item.label in places]
    require_items(numbers, "labels that pictures and sounds share")
    relevant = [[places[sounds.items[number].label]] for number in numbers]
    random = np.random.default_rng(options.seed)
    queries = sounds.side(numbers)
    found = [search(queries, pictures.side(pictures.pick(labels, random)), relevant) for _ in range(options.galleries)]
    return Result(
        title=f"sound → picture, galleries of {len(labels)}",
        count=len(numbers),
        metrics=recalls(np.concatenate([one.places for one in found])),
        missing=data.missing,
        refused=pictures.refused + sounds.refused,
        details={"galleries": options.galleries, "seed": options.seed, "gallery_size": len(labels)},
        rankings=found[0].rankings,
    )
