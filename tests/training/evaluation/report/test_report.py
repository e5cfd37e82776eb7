"""Table, JSON and page show what was found, and nothing from the data becomes markup."""

from __future__ import annotations

import base64
import io
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.service.media_files import clip, picture
from training.evaluation.report.confusion_chart import MAX_CLASSES, chart, worst_mistakes
from training.evaluation.report.html import html_report
from training.evaluation.report.pictures import boxes_uri, sound_uri, thumbnail_uri
from training.evaluation.report.record import Record, json_record
from training.evaluation.report.terminal import table
from training.evaluation.tasks.result import Answer, Confusion, FoundBox, Ranking, Refused, Result, Shown

HARMFUL = "<script>alert('x')</script>"
INFO = {
    "model": "one-peace",
    "fingerprint": "abcdef0123456789",
    "dimensions": 8,
    "engine": "onnx",
    "device": "cpu",
    "version": "1",
    "models": {"text": {"fingerprint": "aa"}},
}


def record(folder: Path) -> Record:
    (folder / "a.png").write_bytes(picture(1, (200, 100)))
    (folder / "a.wav").write_bytes(clip(1))
    ranking = Ranking(
        (Shown("audio", HARMFUL, folder / "a.wav"), Shown("text", "red")),
        (
            Answer(Shown("image", "a cow", folder / "a.png"), 0.5, True),
            Answer(Shown("image", "gone", folder / "gone.png"), 0.25, False),
        ),
        0,
    )
    result = Result(
        title="sound → picture",
        count=7,
        metrics={"R@1": 0.125, "R@5": 1.0},
        missing=(Path("lost.png"),),
        refused=(Refused(Path("bad.png"), HARMFUL),),
        details={"seed": 0},
        rankings=(ranking,),
        boxes=(FoundBox(folder / "a.png", HARMFUL, (0, 0, 100, 100), (150, 20, 90, 500), 0.0),),
        confusion=Confusion(("cow", HARMFUL), np.array([[3, 1], [2, 2]])),
    )
    started = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    return Record("made", Path("corpus"), "test", None, started, INFO, (result,), {"phrase → box": "no such model"})


class Markup(HTMLParser):
    """Counts elements and holds them closed."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_stands_alone(tmp_path: Path) -> None:
    page = html_report(record(tmp_path))
    markup = Markup()
    markup.feed(page)
    assert markup.open == []
    assert "script" not in markup.seen
    assert markup.seen.count("img") == 2  # one answer, one picture with boxes
    assert markup.seen.count("audio") == 1
    assert all(uri.startswith("data:") for uri in re.findall(r'src="([^"]*)"', page))
    assert not re.search(r"""(href|url)\s*[=(]""", page)


def test_the_page_shows_what_was_found(tmp_path: Path) -> None:
    page = html_report(record(tmp_path))
    assert all(wanted in page for wanted in ("12.5", "sound → picture", "a cow", "gone.png"))
    for wanted in ("IoU 0.00, its corners are crossed", "no such model", "abcdef0123456789"):
        assert wanted in page
    assert "&lt;script&gt;" in page
    assert "1 missing files" in page
    assert "cow → cow: 3 of 4" in page


def test_the_table_is_in_per_cent(tmp_path: Path) -> None:
    text = table(record(tmp_path))
    assert re.search(r"sound → picture +7 +R@1 +12\.5\n +R@5 +100\.0\n", text)
    assert "1 missing files were left out, such as lost.png" in text
    assert "1 unusable files were left out, such as bad.png" in text
    assert text.endswith("phrase → box: not measured: no such model")


def test_json_has_fractions_and_names_the_model(tmp_path: Path) -> None:
    body = json.loads(json_record(record(tmp_path)))
    assert body["results"][0]["metrics"] == {"R@1": 0.125, "R@5": 1.0}
    assert body["results"][0]["missing"] == {"count": 1, "files": ["lost.png"]}
    assert body["model"]["fingerprint"] == "abcdef0123456789"
    assert body["fingerprints"] == {"text": "aa"}
    assert body["left_out"] == {"phrase → box": "no such model"}


def opened(uri: str | None) -> Image.Image:
    assert uri is not None
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")


def test_thumbnails_are_small_and_upright(tmp_path: Path) -> None:
    large = Image.new("RGB", (1000, 500))
    exif = large.getexif()
    exif[0x0112] = 6
    large.save(tmp_path / "a.jpg", exif=exif)
    assert opened(thumbnail_uri(tmp_path / "a.jpg")).size == (72, 144)


def test_boxes_are_drawn_where_they_are(tmp_path: Path) -> None:
    Image.new("RGB", (800, 400), "white").save(tmp_path / "a.png")
    found = FoundBox(tmp_path / "a.png", "x", (100, 100, 300, 300), (400, 100, 700, 300), 0.0)
    drawn = opened(boxes_uri(found))
    assert drawn.size == (400, 200)
    green, orange = drawn.getpixel((51, 100)), drawn.getpixel((201, 100))
    assert green[1] > green[0] + 50
    assert orange[0] > orange[2] + 50
    assert min(drawn.getpixel((100, 100))) > 240


@pytest.mark.parametrize("name", ["bad.png", "gone.png"])
def test_unreadable_pictures_give_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert thumbnail_uri(tmp_path / name) is None
    assert boxes_uri(FoundBox(tmp_path / name, "x", (0, 0, 1, 1), (0, 0, 1, 1), 1.0)) is None


def test_only_short_sounds_are_in_the_page(tmp_path: Path) -> None:
    (tmp_path / "short.wav").write_bytes(clip(1, 1.0))
    (tmp_path / "long.wav").write_bytes(clip(1, 20.0))
    assert (sound_uri(tmp_path / "short.wav") or "").startswith("data:audio/wav;base64,")
    assert sound_uri(tmp_path / "long.wav") is None
    assert sound_uri(tmp_path / "gone.wav") is None


def test_worst_mistakes_come_first() -> None:
    confusion = Confusion(("a", "b", "c"), np.array([[5, 1, 0], [0, 2, 3], [0, 0, 1]]))
    assert [(one.true_class, one.chosen_class, one.count, one.of) for one in worst_mistakes(confusion)] == [
        ("b", "c", 3, 5),
        ("a", "b", 1, 6),
    ]


def test_the_chart_has_only_classes_that_occur() -> None:
    drawn = chart(Confusion(("a", "b", "c"), np.array([[1, 0, 1], [0, 0, 0], [0, 0, 0]])))
    assert drawn is not None
    assert [label.name for label in drawn.labels] == ["a", "c"]
    assert [(square.share, square.right) for square in drawn.squares] == [(0.5, True), (0.5, False)]
    many = MAX_CLASSES + 1
    assert chart(Confusion(tuple(map(str, range(many))), np.eye(many, dtype=np.int64))) is None
