"""ImageNet's folders and anybody's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.evaluation.benchmarks.trees import write
from training.evaluation.benchmarks.class_folders import read_folders, read_imagenet
from training.evaluation.benchmarks.rows import ReadOptions
from training.evaluation.dataset import DataError

PICTURES = {
    "val/n01440764/ILSVRC2012_val_00000293.JPEG": "",
    "val/n01440764/ILSVRC2012_val_00002138.JPEG": "",
    "val/n01443537/ILSVRC2012_val_00000236.JPEG": "",
}
NAMES = "n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius auratus\n"
KERAS = json.dumps({"0": ["n01440764", "tench"], "1": ["n01443537", "great_goldfish"]})


def test_imagenet_takes_the_first_synonym(tmp_path: Path) -> None:
    data = read_imagenet(ReadOptions(write(tmp_path, {**PICTURES, "LOC_synset_mapping.txt": NAMES})))
    assert (data.kind, data.classes, data.names) == ("image", ("n01440764", "n01443537"), ("tench", "goldfish"))
    assert [(item.path.name[-8:], item.labels) for item in data.items] == [
        ("293.JPEG", (0,)),
        ("138.JPEG", (0,)),
        ("236.JPEG", (1,)),
    ]


@pytest.mark.parametrize("names", [KERAS, json.dumps({"n01440764": "tench", "n01443537": "great_goldfish"})])
def test_imagenet_reads_json_names(tmp_path: Path, names: str) -> None:
    write(tmp_path, {**PICTURES, "imagenet_class_index.json": names})
    assert read_imagenet(ReadOptions(tmp_path)).names == ("tench", "great goldfish")


def test_imagenet_without_the_val_folder(tmp_path: Path) -> None:
    write(tmp_path, {"n01440764/a.JPEG": "", "names.tsv": "n01440764\ttench"})
    assert read_imagenet(ReadOptions(tmp_path, class_names=tmp_path / "names.tsv")).names == ("tench",)


def test_a_class_without_a_name_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {**PICTURES, "LOC_synset_mapping.txt": NAMES.splitlines()[0]})
    with pytest.raises(DataError, match=r"LOC_synset_mapping.txt: has no name for the class 'n01443537'"):
        read_imagenet(ReadOptions(tmp_path))


def test_imagenet_needs_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--class-names"):
        read_imagenet(ReadOptions(write(tmp_path, PICTURES)))


def test_own_folders_are_called_as_they_are(tmp_path: Path) -> None:
    data = read_folders(ReadOptions(write(tmp_path, {"frying_pan/a.wav": "", "dog/b.flac": "", "dog/notes.txt": ""})))
    assert (data.kind, data.names, len(data.items)) == ("audio", ("dog", "frying pan"), 2)


def test_pictures_and_sounds_together_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds pictures and sounds"):
        read_folders(ReadOptions(write(tmp_path, {"dog/a.wav": "", "dog/b.png": ""})))


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no folders"):
        read_folders(ReadOptions(tmp_path))
