"""Captioned pictures: COCO's own JSON, the Karpathy splits of COCO and Flickr30K, Flickr30K's token file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.evaluation.benchmarks.captions import captioned
from training.evaluation.benchmarks.rows import ReadOptions, first_file, first_folder, read_json, shaped, tab_rows
from training.evaluation.dataset import Captioned

KARPATHY_COCO, KARPATHY_FLICKR = "dataset_coco.json", "dataset_flickr30k.json"
TOKENS = "results_20130124.token"
FLICKR_FOLDERS = ("flickr30k-images", "flickr30k_images", "images")


def read_coco(options: ReadOptions) -> Captioned:
    """The Karpathy split's test part (5,000 pictures, what papers report) where `dataset_coco.json` is there.

    Else `annotations/captions_<split>.json` with `<split>` val2017 or val2014. DATA may also be one of these files.

    Raises:
        DataError: files are missing or not as expected.
    """
    folder = _folder(options)
    wanted = [options.split] if options.split else ["val2017", "val2014"]
    names = [f"captions_{split}.json" for split in wanted]
    file = _data_file(options, [KARPATHY_COCO, *(f"annotations/{name}" for name in names), *names])
    content = read_json(file)
    if file.name.startswith("captions_"):
        split = file.stem.removeprefix("captions_")
        media = options.media or first_folder([root / split for root in (folder, folder / "images", folder.parent)])
        return captioned("image", shaped(file, lambda: list(_coco_captions(content, media))))
    root = options.media or first_folder([folder / "images", folder])
    return _karpathy(file, content, options.split or "test", root)


def read_flickr30k(options: ReadOptions) -> Captioned:
    """`dataset_flickr30k.json` (its test part: 1,000 pictures), or all of `results_20130124.token`.

    Raises:
        DataError: files are missing or not as expected.
    """
    folder = _folder(options)
    file = _data_file(options, [KARPATHY_FLICKR, TOKENS])
    media = options.media or first_folder([*(folder / name for name in FLICKR_FOLDERS), folder])
    if file.suffix != ".json":
        return captioned("image", _token_captions(file, media))
    return _karpathy(file, read_json(file), options.split or "test", media)


def _folder(options: ReadOptions) -> Path:
    return options.data.parent if options.data.is_file() else options.data


def _data_file(options: ReadOptions, names: list[str]) -> Path:
    return options.data if options.data.is_file() else first_file([options.data / name for name in names])


def _coco_captions(content: dict[str, Any], media: Path) -> Iterator[tuple[Path, str]]:
    files = {picture["id"]: media / str(picture["file_name"]) for picture in content["images"]}
    for annotation in content["annotations"]:
        yield files[annotation["image_id"]], str(annotation["caption"])


def _karpathy(file: Path, content: dict[str, Any], split: str, media: Path) -> Captioned:
    return captioned("image", shaped(file, lambda: list(_karpathy_captions(content, split, media))))


def _karpathy_captions(content: dict[str, Any], split: str, media: Path) -> Iterator[tuple[Path, str]]:
    for picture in content["images"]:
        if picture["split"] == split:
            path = media / str(picture.get("filepath", "")) / str(picture["filename"])
            for sentence in picture["sentences"]:
                yield path, str(sentence["raw"])


def _token_captions(file: Path, media: Path) -> Iterator[tuple[Path, str]]:
    """Lines of "1000092795.jpg#0", a tab and the caption."""
    for row in tab_rows(file, 2):
        name, mark, _ = row.cells[0].partition("#")
        if not mark:
            raise row.wrong("the first cell must be a file's name, '#' and the caption's number")
        yield media / name, row.cells[1]
