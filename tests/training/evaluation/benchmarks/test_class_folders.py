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


TWINS = {
    "n02012849": "crane",
    "n03126707": "crane",
    "n02113186": "Cardigan, Cardigan Welsh corgi",
    "n02963159": "cardigan",
    "n03710637": "maillot",
    "n03710721": "maillot, tank suit",
    "n01440764": "tench, Tinca tinca",
}
"""As `LOC_synset_mapping.txt` has them."""


def names_of(folder: Path, names: dict[str, str]) -> dict[str, str]:
    """What classes are called that `LOC_synset_mapping.txt` gives these names."""
    write(folder, {f"val/{key}/a.JPEG": "" for key in names})
    write(folder, {"LOC_synset_mapping.txt": "\n".join(f"{key} {name}" for key, name in names.items())})
    data = read_imagenet(ReadOptions(folder))
    return dict(zip(data.classes, data.names, strict=True))


def test_classes_with_the_same_first_synonym_are_told_apart(tmp_path: Path) -> None:
    assert names_of(tmp_path, TWINS) == {
        "n02012849": "crane bird",
        "n03126707": "construction crane",
        "n02113186": "Cardigan, Cardigan Welsh corgi",
        "n02963159": "cardigan",
        "n03710637": "maillot",
        "n03710721": "maillot, tank suit",
        "n01440764": "tench",
    }


def test_keras_names_are_told_apart_too(tmp_path: Path) -> None:
    write(tmp_path, {f"val/{key}/a.JPEG": "" for key in TWINS})
    keras = {str(number): [key, name.partition(",")[0]] for number, (key, name) in enumerate(TWINS.items())}
    data = read_imagenet(ReadOptions(write(tmp_path, {"imagenet_class_index.json": json.dumps(keras)})))
    assert dict(zip(data.classes, data.names, strict=True)) == {
        "n02012849": "crane bird",
        "n03126707": "construction crane",
        "n02113186": "Cardigan Welsh corgi",
        "n02963159": "cardigan",
        "n03710637": "maillot",
        "n03710721": "tank suit",
        "n01440764": "tench",
    }


def test_a_class_keeps_its_first_synonym_when_its_twin_is_not_there(tmp_path: Path) -> None:
    names = {key: TWINS[key] for key in ("n02012849", "n02113186", "n03710721")}
    assert list(names_of(tmp_path, names).values()) == ["crane", "Cardigan", "maillot"]


def test_classes_with_all_names_the_same_are_an_error(tmp_path: Path) -> None:
    complaint = r"LOC_synset_mapping.txt: gives several classes the same name: 'a' \(Bow, knot\), 'b' \(bow, knot\)$"
    with pytest.raises(DataError, match=complaint):
        names_of(tmp_path, {"a": "Bow, knot", "b": "bow, knot", "c": "ribbon"})


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
