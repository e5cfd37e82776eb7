"""Zero-shot classification: a file's vector against the vectors of the classes' prompts."""

from __future__ import annotations

from training.evaluation.dataset import Labelled
from training.evaluation.model import EvaluatedModel
from training.evaluation.prompts import class_vectors, usual_templates
from training.evaluation.tasks.class_scores import accuracies, average_precisions, confusion, rankings
from training.evaluation.tasks.gathering import embed_files
from training.evaluation.tasks.result import Result, TaskOptions, require_items


def run(model: EvaluatedModel, data: Labelled, options: TaskOptions) -> Result:
    """Accuracy for files with one class each, mAP of the cosines for files with several.

    Raises:
        DataError: no file is usable.
        ModelError: the model can't be asked.
    """
    require_items(data.items, "files")
    templates = options.templates or data.templates or usual_templates(data.kind)
    classes = class_vectors(model, data.names, templates)
    files = embed_files(model, data.kind, [item.path for item in data.items])
    items = [data.items[number] for number in files.kept]
    cosines = files.vectors @ classes.T  # [N, C]
    kind = {"image": "picture", "audio": "sound"}[data.kind]
    return Result(
        title=f"{kind} → name, zero-shot",
        count=len(items),
        metrics=accuracies(cosines, items) if data.exclusive else average_precisions(cosines, items),
        missing=data.missing,
        refused=files.refused,
        details={"classes": len(data.classes), "templates": list(templates)},
        rankings=rankings(cosines, items, data),
        confusion=confusion(cosines, items, data),
    )
