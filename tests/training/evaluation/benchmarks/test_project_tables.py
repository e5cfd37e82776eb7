"""The project's own tab-separated tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.evaluation.benchmarks.trees import write
from training.data.table import Row, write_table
from training.evaluation.benchmarks.project_tables import (
    read_captions,
    read_composed,
    read_cross,
    read_labels,
    read_regions,
)
from training.evaluation.benchmarks.rows import ReadOptions
from training.evaluation.dataset import DataError

TABLES = {
    "pictures.tsv": "0\tm/a.png\ta cow\tcow\n1\tm/b.png\tdog\tdog\n",
    "colours.tsv": "0\tm/a.png\ta red cow\tred cow\n",
    "scenes.tsv": "0\tm/a.png\tthe cow\t1,2,30.5,40\n",
    "sounds.tsv": "0\tm/a.wav\tthe sound of a cow\tcow\n",
    "speech.tsv": "0\tm/b.wav\tdog\tdog\n",
    **dict.fromkeys(["m/a.png", "m/b.png", "m/a.wav", "m/b.wav"], ""),
}


def test_paths_are_relative_to_the_table(tmp_path: Path) -> None:
    data = read_labels(ReadOptions(write(tmp_path, TABLES) / "pictures.tsv"))
    assert (data.kind, data.classes) == ("image", ("cow", "dog"))
    assert [item.path for item in data.items] == [tmp_path / "m" / "a.png", tmp_path / "m" / "b.png"]


def test_captions_are_the_third_column(tmp_path: Path) -> None:
    data = read_captions(ReadOptions(write(tmp_path, TABLES) / "sounds.tsv"))
    assert (data.kind, data.items[0].captions) == ("audio", ("the sound of a cow",))


def test_captions_need_no_label(tmp_path: Path) -> None:
    rows = [Row("0", tmp_path / "m" / "a.png", "a cow"), Row("1", tmp_path / "m" / "b.png", "dog", "dog")]
    write(tmp_path, TABLES)
    write_table(tmp_path / "captions.tsv", rows)
    data = read_captions(ReadOptions(tmp_path / "captions.tsv"))
    assert [item.captions for item in data.items] == [("a cow",), ("dog",)]


def test_a_row_without_a_caption_is_named_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, TABLES | {"captions.tsv": "0\tm/a.png\ta cow\n1\tm/b.png\n"})
    with pytest.raises(DataError, match=r"captions.tsv, line 2: 2 columns instead of 3 or 4"):
        read_captions(ReadOptions(tmp_path / "captions.tsv"))


def test_labels_need_the_fourth_cell(tmp_path: Path) -> None:
    write(tmp_path, TABLES | {"pictures.tsv": TABLES["pictures.tsv"] + "2\tm/a.png\ta cow\n"})
    for read, table in ((read_labels, "pictures.tsv"), (read_cross, ".")):
        with pytest.raises(DataError, match=r"pictures.tsv, line 3: has no label or region"):
            read(ReadOptions(tmp_path / table))


def test_regions_are_corners(tmp_path: Path) -> None:
    (item,) = read_regions(ReadOptions(write(tmp_path, TABLES) / "scenes.tsv")).items
    assert (item.phrase, item.box) == ("the cow", (1.0, 2.0, 30.5, 40.0))


def test_pictures_are_paired_with_sounds_or_speech(tmp_path: Path) -> None:
    write(tmp_path, TABLES)
    assert [item.label for item in read_cross(ReadOptions(tmp_path)).sounds] == ["cow"]
    assert [item.label for item in read_cross(ReadOptions(tmp_path, split="speech")).sounds] == ["dog"]
    assert [item.label for item in read_composed(ReadOptions(tmp_path)).pictures] == ["red cow"]
    with pytest.raises(DataError, match="sounds or speech"):
        read_cross(ReadOptions(tmp_path, split="test"))


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("0\tm/a.png\tthe cow", "has no label or region"),
        ("0\tm/a.png\tthe cow\t1,2,3", "a region is x0,y0,x1,y1"),
        ("0\tm/a.png\tthe cow\t1,2,1,5", "has no area"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path: Path, row: str, complaint: str) -> None:
    write(tmp_path, TABLES | {"scenes.tsv": TABLES["scenes.tsv"] + row + "\n"})
    with pytest.raises(DataError, match=rf"scenes.tsv, line 2: .*{complaint}"):
        read_regions(ReadOptions(tmp_path / "scenes.tsv"))


def test_an_empty_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no examples"):
        read_labels(ReadOptions(write(tmp_path, {"t.tsv": "\n"}) / "t.tsv"))
