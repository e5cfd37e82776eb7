"""COCO and Flickr30K."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.evaluation.benchmarks.trees import write
from training.evaluation.benchmarks.picture_captions import read_coco, read_flickr30k
from training.evaluation.benchmarks.rows import ReadOptions
from training.evaluation.dataset import Captioned, DataError

CAPTIONS = json.dumps(
    {
        "info": {},
        "images": [
            {"id": 391895, "file_name": "COCO_val2014_000000391895.jpg", "height": 360, "width": 640},
            {"id": 522418, "file_name": "COCO_val2014_000000522418.jpg", "height": 480, "width": 640},
        ],
        "annotations": [
            {"image_id": 391895, "id": 770337, "caption": "A man with a red helmet. "},
            {"image_id": 522418, "id": 1, "caption": "A woman cuts a cake."},
            {"image_id": 391895, "id": 2, "caption": "A man on a moped."},
        ],
    }
)


def picture(split: str, name: str, *captions: str, **more: str) -> dict[str, object]:
    return {"split": split, "filename": name, "sentences": [{"raw": caption} for caption in captions], **more}


KARPATHY = json.dumps(
    {
        "dataset": "coco",
        "images": [
            picture("test", "COCO_val2014_000000391895.jpg", "one", "two", filepath="val2014", cocoid=391895),
            picture("restval", "COCO_val2014_000000522418.jpg", "three", filepath="val2014", cocoid=522418),
        ],
    }
)
COCO_PICTURES = {"val2014/COCO_val2014_000000391895.jpg": "", "val2014/COCO_val2014_000000522418.jpg": ""}


def plain(data: Captioned) -> list[tuple[str, tuple[str, ...]]]:
    return [(item.path.name[-10:], item.captions) for item in data.items]


def test_coco_captions_are_grouped_by_picture(tmp_path: Path) -> None:
    write(tmp_path, {**COCO_PICTURES, "annotations/captions_val2014.json": CAPTIONS})
    wanted = [
        ("391895.jpg", ("A man with a red helmet.", "A man on a moped.")),
        ("522418.jpg", ("A woman cuts a cake.",)),
    ]
    assert plain(read_coco(ReadOptions(tmp_path))) == wanted
    media = tmp_path / "val2014"
    file = tmp_path / "annotations" / "captions_val2014.json"
    assert plain(read_coco(ReadOptions(file, media=media))) == wanted


def test_karpathys_test_part_is_the_default(tmp_path: Path) -> None:
    write(
        tmp_path,
        {**COCO_PICTURES, "annotations/captions_val2014.json": CAPTIONS, "dataset_coco.json": KARPATHY},
    )
    assert plain(read_coco(ReadOptions(tmp_path))) == [("391895.jpg", ("one", "two"))]
    assert plain(read_coco(ReadOptions(tmp_path, split="restval"))) == [("522418.jpg", ("three",))]


def test_a_missing_picture_is_named_and_left_out(tmp_path: Path) -> None:
    files = {"val2014/COCO_val2014_000000391895.jpg": "", "captions_val2014.json": CAPTIONS}
    data = read_coco(ReadOptions(write(tmp_path, files)))
    assert [item.path.name for item in data.items] == ["COCO_val2014_000000391895.jpg"]
    assert [path.name for path in data.missing] == ["COCO_val2014_000000522418.jpg"]


def test_no_picture_at_all_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {"val2014/other.jpg": "", "captions_val2014.json": CAPTIONS})
    with pytest.raises(DataError, match="none of the 2 files is there"):
        read_coco(ReadOptions(tmp_path))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "line 1: not JSON"),
        ("[]", "not the expected layout"),
        ('{"images": []}', "lacks the field 'annotations'"),
        ('{"images": [], "annotations": [{"image_id": 7, "caption": ""}]}', "lacks the field 7"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    write(tmp_path, {**COCO_PICTURES, "captions_val2014.json": text})
    with pytest.raises(DataError, match=f"captions_val2014.json.*{complaint}"):
        read_coco(ReadOptions(tmp_path))


FLICKR_PICTURES = {"flickr30k-images/1000092795.jpg": "", "flickr30k-images/10002456.jpg": ""}


def test_flickr30k_karpathy(tmp_path: Path) -> None:
    split = {"images": [picture("test", "1000092795.jpg", "one"), picture("train", "10002456.jpg", "two")]}
    write(tmp_path, {**FLICKR_PICTURES, "dataset_flickr30k.json": json.dumps(split)})
    assert plain(read_flickr30k(ReadOptions(tmp_path))) == [("092795.jpg", ("one",))]
    with pytest.raises(DataError, match="no captions of the wanted part"):
        read_flickr30k(ReadOptions(tmp_path, split="nonsense"))


def test_flickr30k_token_file(tmp_path: Path) -> None:
    lines = '1000092795.jpg#0\tTwo "men" stand .\n1000092795.jpg#1\tTwo others .\n10002456.jpg#0\tSeveral men .\n'
    write(tmp_path, {**FLICKR_PICTURES, "results_20130124.token": lines})
    assert plain(read_flickr30k(ReadOptions(tmp_path))) == [
        ("092795.jpg", ('Two "men" stand .', "Two others .")),
        ("002456.jpg", ("Several men .",)),
    ]


def test_a_bad_token_line_is_named(tmp_path: Path) -> None:
    write(tmp_path, {**FLICKR_PICTURES, "results_20130124.token": "1000092795.jpg#0\tfine\n10002456.jpg\tno number\n"})
    with pytest.raises(DataError, match=r"results_20130124.token, line 2: .*number"):
        read_flickr30k(ReadOptions(tmp_path))
