"""RefCOCO, RefCOCO+ and RefCOCOg as the `refer` package has them: a pickle of references and COCO's instances.

A pickle can run any code when it is loaded; this one is loaded by a reader that knows no functions or classes, so it
can only hold plain values.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from training.evaluation.benchmarks.rows import (
    ReadOptions,
    first_file,
    first_folder,
    read_json,
    shaped,
    sort_by_presence,
)
from training.evaluation.dataset import Box, DataError, Grounded, PhraseBox

SPLITTERS = {"refcoco": ("unc", "google"), "refcoco+": ("unc",), "refcocog": ("umd", "google")}
"""Whose split is meant when several are there; the paper's tables have the first."""
PICTURES = ("images/mscoco/images/train2014", "images/train2014", "train2014", "images")


def read_refcoco(options: ReadOptions) -> Grounded:
    """RefCOCO; see `_read`."""
    return _read("refcoco", options)


def read_refcoco_plus(options: ReadOptions) -> Grounded:
    """RefCOCO+; see `_read`."""
    return _read("refcoco+", options)


def read_refcocog(options: ReadOptions) -> Grounded:
    """RefCOCOg; see `_read`."""
    return _read("refcocog", options)


def _read(name: str, options: ReadOptions) -> Grounded:
    """`refs(unc).p` and `instances.json` in DATA or `DATA/<name>`; pictures are COCO's train2014.

    The split is val, testA or testB (refcoco, refcoco+), val or test (refcocog). Each sentence of a reference is one
    item. Boxes are [x, y, width, height] there.

    Raises:
        DataError: files are missing or not as expected.
    """
    roots = [options.data, options.data / name]
    references = first_file([root / f"refs({who}).p" for root in roots for who in SPLITTERS[name]])
    instances = first_file([references.parent / "instances.json"])
    bases = (options.data, options.data.parent)
    media = options.media or first_folder([base / place for base in bases for place in PICTURES])
    content, annotations = read_plain_pickle(references), read_json(instances)
    split = options.split or "val"
    items = shaped(references, lambda: list(_items(content, annotations, split, media)))
    if not items:
        present = shaped(references, lambda: sorted({str(reference["split"]) for reference in content}))
        raise DataError(f"{references}: has no split '{split}', only {', '.join(present)}")
    found, missing = sort_by_presence([(item.path, item) for item in items])
    return Grounded(found, missing)


def _items(content: Any, annotations: Any, split: str, media: Path) -> Iterator[PhraseBox]:
    boxes = {annotation["id"]: _box(annotation["bbox"]) for annotation in annotations["annotations"]}
    files = {picture["id"]: str(picture["file_name"]) for picture in annotations["images"]}
    for reference in content:
        if reference["split"] == split:
            path, box = media / files[reference["image_id"]], boxes[reference["ann_id"]]
            for sentence in reference["sentences"]:
                yield PhraseBox(path, str(sentence["sent"]), box)


def _box(corner_and_size: Any) -> Box:
    x, y, width, height = map(float, corner_and_size)
    return x, y, x + width, y + height


class PlainUnpickler(pickle.Unpickler):
    """Loads numbers, strings, lists, tuples, dictionaries, sets; refuses whatever names a function or class."""

    def find_class(self, module_name: str, global_name: str) -> NoReturn:
        """Refuse.

        Raises:
            UnpicklingError: always.
        """
        raise pickle.UnpicklingError(f"it names {module_name}.{global_name}, but only plain values are allowed")


def read_plain_pickle(file: Path) -> Any:
    """A pickle of plain values; Python 2 wrote the published ones.

    Raises:
        DataError: it can't be read, is damaged, or holds more than plain values.
    """
    try:
        with file.open("rb") as data:
            return PlainUnpickler(data, encoding="utf-8", errors="replace").load()
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from error
    except Exception as error:  # damaged pickles raise whatever their bytes lead to
        raise DataError(f"{file}: not a pickle that can be loaded safely: {error}") from error
