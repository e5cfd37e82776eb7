"""One folder for each class: ImageNet's validation set, and anybody's own pictures or sounds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from training.evaluation.benchmarks.labels import labelled, spoken
from training.evaluation.benchmarks.rows import ReadOptions, kind_of, media_files, read_json, read_text, shaped
from training.evaluation.dataset import DataError, Labelled

NAME_FILES = ("LOC_synset_mapping.txt", "imagenet_class_index.json", "class_names.txt")
TWINS = {
    "n02012849": "crane bird",
    "n03126707": "construction crane",
    "n02113186": "Cardigan Welsh corgi",
    "n03710721": "tank suit",
}
"""Our names for ImageNet's classes that a published file calls as another: both cranes are "crane" in all of them."""


def read_folders(options: ReadOptions) -> Labelled:
    """`DATA/<class>/<file>`; a class is called as its folder, or as `--class-names` says.

    Raises:
        DataError: no files, pictures and sounds mixed, or a class without a name of its own.
    """
    files = _files(options.media or options.data)
    kinds = {kind_of(path) for path, _ in files}
    if len(kinds) > 1:
        raise DataError(f"{options.data}: holds pictures and sounds; evaluate them apart")
    data = labelled(kinds.pop(), files)
    if options.class_names is None:
        return data
    return _named(data, read_class_names(options.class_names), options.class_names)


def read_imagenet(options: ReadOptions) -> Labelled:
    """`DATA/val/<wnid>/*.JPEG` or `DATA/<wnid>/*.JPEG`, and a file of class names, by default one of `NAME_FILES`.

    Raises:
        DataError: no files, no class names, or a wnid without a name of its own.
    """
    split = options.data / (options.split or "val")
    if options.split is not None and not split.is_dir():
        raise DataError(f"{split}: no such folder")
    data = labelled("image", _files(options.media or (split if split.is_dir() else options.data)))
    names_file = options.class_names
    if names_file is None:
        found = [options.data / name for name in NAME_FILES if (options.data / name).is_file()]
        if not found:
            raise DataError(f"{options.data}: none of {', '.join(NAME_FILES)} is there; name one with --class-names")
        names_file = found[0]
    return _named(data, read_class_names(names_file), names_file)


def read_class_names(file: Path) -> dict[str, str]:
    """Words for classes: all synonyms, commas between.

    Lines of "n01440764 tench, Tinca tinca" (a space or tab after the class), or JSON: {"n01440764": "tench"} or
    Keras's {"0": ["n01440764", "tench"]}.

    Raises:
        DataError: the file can't be read or is neither.
    """
    if file.suffix.lower() != ".json":
        pairs = [line.replace("\t", " ").partition(" ")[::2] for line in read_text(file).splitlines() if line.strip()]
    else:
        table = read_json(file)
        pairs = shaped(file, lambda: [_json_pair(key, value) for key, value in table.items()])
    return {key: spoken(words) for key, words in pairs}


def _json_pair(key: str, value: object) -> tuple[str, str]:
    if isinstance(value, str):
        return key, value
    if isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value):
        return value[0], value[1]
    raise ValueError(f"'{key}' has neither a name nor a pair of wnid and name")


def _files(folder: Path) -> list[tuple[Path, str]]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    files = [
        (path, class_folder.name)
        for class_folder in sorted(folder.iterdir())
        if class_folder.is_dir()
        for path in media_files(class_folder)
    ]
    if not files:
        raise DataError(f"{folder}: holds no folders with pictures or sounds")
    return files


def _named(data: Labelled, words: dict[str, str], file: Path) -> Labelled:
    """Classes called by their first synonym; those that would share it by all of theirs, else as in `TWINS`."""
    names = {key: words.get(key, "").partition(",")[0].strip() for key in data.classes}
    lacking = [key for key, name in names.items() if not name]
    if lacking:
        raise DataError(f"{file}: has no name for the class '{lacking[0]}'")
    for longer in (words, TWINS):
        names |= {key: longer[key] for key in _namesakes(names) if key in longer}
    alike = _namesakes(names)
    if alike:
        listed = ", ".join(f"'{key}' ({names[key]})" for key in alike)
        raise DataError(f"{file}: gives several classes the same name: {listed}")
    return replace(data, names=tuple(names.values()))


def _namesakes(names: dict[str, str]) -> list[str]:
    """Classes whose name another one has too; case doesn't count, for a model may not see it."""
    counts = Counter(name.casefold() for name in names.values())
    return [key for key, name in names.items() if counts[name.casefold()] > 1]
