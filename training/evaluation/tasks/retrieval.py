"""Retrieval between files and captions, in both directions."""

from __future__ import annotations

from training.evaluation.dataset import Captioned
from training.evaluation.model import EvaluatedModel
from training.evaluation.tasks.gallery_search import Side, recalls, search
from training.evaluation.tasks.gathering import embed_files, embed_texts
from training.evaluation.tasks.result import Result, Shown, TaskOptions, require_items


def run(model: EvaluatedModel, data: Captioned, options: TaskOptions) -> Result:  # noqa: ARG001 (as all tasks)
    """R@1, R@5, R@10 from file to text (a hit if any of its captions is found) and from each caption to its file.

    Raises:
        DataError: no file is usable.
        ModelError: the model can't be asked.
    """
    require_items(data.items, "files")
    embedded = embed_files(model, data.kind, [item.path for item in data.items])
    items = [data.items[number] for number in embedded.kept]
    captions = [caption for item in items for caption in item.captions]
    owners = [number for number, item in enumerate(items) for _ in item.captions]
    captions_of: list[list[int]] = [[] for _ in items]
    for number, owner in enumerate(owners):
        captions_of[owner].append(number)
    files = Side(embedded.vectors, [(Shown(data.kind, item.captions[0], item.path),) for item in items])
    texts = Side(embed_texts(model, captions, "captions"), [(Shown("text", caption),) for caption in captions])
    to_text = search(files, texts, captions_of)
    to_file = search(texts, files, [[owner] for owner in owners])
    kind = {"image": "picture", "audio": "sound"}[data.kind]
    return Result(
        title=f"{kind} ↔ text, retrieval",
        count=len(items),
        metrics=recalls(to_text.places, f"{kind} → text") | recalls(to_file.places, f"text → {kind}"),
        missing=data.missing,
        refused=embedded.refused,
        details={"captions": len(captions)},
        rankings=to_file.rankings + to_text.rankings,
    )
