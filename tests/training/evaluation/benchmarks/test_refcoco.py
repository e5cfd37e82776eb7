"""RefCOCO's pickles, which must not run code."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest

from tests.training.evaluation.benchmarks.trees import write
from training.evaluation.benchmarks.refcoco import read_refcoco, read_refcoco_plus, read_refcocog
from training.evaluation.benchmarks.rows import ReadOptions
from training.evaluation.dataset import DataError

REFERENCES = [
    {
        "ref_id": 0,
        "ann_id": 1719310,
        "image_id": 581857,
        "category_id": 1,
        "file_name": "COCO_train2014_000000581857_16.jpg",
        "split": "val",
        "sent_ids": [0, 1],
        "sentences": [
            {"sent": "the lady with the blue shirt", "raw": "THE LADY WITH THE BLUE SHIRT", "sent_id": 0, "tokens": []},
            {"sent": "lady w back to us", "raw": "lady w back to us", "sent_id": 1, "tokens": []},
        ],
    },
    {"ann_id": 5, "image_id": 2, "split": "testA", "sentences": [{"sent": "left man", "sent_id": 2}]},
]
INSTANCES = json.dumps(
    {
        "images": [
            {"id": 581857, "file_name": "COCO_train2014_000000581857.jpg"},
            {"id": 2, "file_name": "COCO_train2014_000000000002.jpg"},
        ],
        "annotations": [{"id": 1719310, "bbox": [103.93, 299.99, 134.22, 177.42]}, {"id": 5, "bbox": [1, 2, 3, 4]}],
    }
)
PICTURES = {"COCO_train2014_000000581857.jpg": "", "COCO_train2014_000000000002.jpg": ""}


def tree(root: Path, name: str, splitter: str, content: bytes) -> Path:
    write(root, {f"images/mscoco/images/train2014/{file}": "" for file in PICTURES})
    write(root, {f"{name}/instances.json": INSTANCES})
    (root / name / f"refs({splitter}).p").write_bytes(content)
    return root


@pytest.mark.parametrize("protocol", [0, 2])  # what Python 2 wrote
def test_every_sentence_is_one_item_with_its_corners(tmp_path: Path, protocol: int) -> None:
    tree(tmp_path, "refcoco", "unc", pickle.dumps(REFERENCES, protocol))
    data = read_refcoco(ReadOptions(tmp_path))
    assert [item.phrase for item in data.items] == ["the lady with the blue shirt", "lady w back to us"]
    assert data.items[0].path.name == "COCO_train2014_000000581857.jpg"
    assert data.items[0].box == pytest.approx((103.93, 299.99, 103.93 + 134.22, 299.99 + 177.42))


def test_the_split_can_be_chosen(tmp_path: Path) -> None:
    tree(tmp_path, "refcoco+", "unc", pickle.dumps(REFERENCES))
    assert [item.box for item in read_refcoco_plus(ReadOptions(tmp_path, split="testA")).items] == [(1, 2, 4, 6)]
    with pytest.raises(DataError, match="no split 'testC', only testA, val"):
        read_refcoco_plus(ReadOptions(tmp_path, split="testC"))


def test_refcocog_takes_umds_split_and_its_own_folder(tmp_path: Path) -> None:
    tree(tmp_path, "refcocog", "umd", pickle.dumps(REFERENCES))
    assert len(read_refcocog(ReadOptions(tmp_path / "refcocog")).items) == 2


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("harm",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tree(tmp_path, "refcoco", "unc", pickle.dumps([Harmful()]))
    with pytest.raises(DataError, match=r"refs\(unc\).p: not a pickle that can be loaded safely.*mkdir"):
        read_refcoco(ReadOptions(tmp_path))
    assert not (tmp_path / "harm").exists()


def test_a_damaged_pickle_is_named(tmp_path: Path) -> None:
    tree(tmp_path, "refcoco", "unc", pickle.dumps(REFERENCES)[:-20])
    with pytest.raises(DataError, match=r"refs\(unc\).p"):
        read_refcoco(ReadOptions(tmp_path))


def test_a_reference_without_its_box_is_named(tmp_path: Path) -> None:
    lost = [{**REFERENCES[0], "ann_id": 99}]
    tree(tmp_path, "refcoco", "unc", pickle.dumps(lost))
    with pytest.raises(DataError, match="lacks the field 99"):
        read_refcoco(ReadOptions(tmp_path))
