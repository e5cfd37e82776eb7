"""A file's content tells what it is; what can't be read is a failure with a code, never an exception."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.bulk.entry import Entry, Failure
from service.bulk.limits import InputLimits
from service.bulk.loader import load
from service.usecases.items import AudioItem, ImageItem, TextItem
from tests.service.media_files import clip, picture

LIMITS = InputLimits(max_file_bytes=100_000, max_text_bytes=400, max_pixels=10**6, max_audio_seconds=60.0)


def load_file(folder: Path, name: str, data: bytes) -> object:
    path = folder / name
    path.write_bytes(data)
    return load(Entry(0, name, str(path), file=str(path)), LIMITS)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    assert isinstance(load_file(tmp_path, "sound.jpg", clip()), AudioItem)
    assert isinstance(load_file(tmp_path, "picture", picture()), ImageItem)
    assert isinstance(load_file(tmp_path, "picture.txt", picture(size=(8, 8))), ImageItem)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a cow\n", "a cow"),
        (b"\xef\xbb\xbfa cow\r\n", "a cow"),
        (b"two\nlines\n\n", "two\nlines\n"),
        (b"", ""),
        (b"x" * 400 + b"\n", "x" * 400),
    ],
)
def test_a_text_file_loses_mark_and_last_line_break(tmp_path: Path, data: bytes, text: str) -> None:
    assert load_file(tmp_path, "a.TXT", data) == TextItem(text, "")


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.txt", b"caf\xe9", "invalid_text"),
        ("a.txt", b"x" * 406, "invalid_text"),
        ("a.pdf", b"%PDF", "unsupported_file"),
        ("a.png", b"x" * 100_001, "body_too_large"),
    ],
)
def test_what_can_not_be_taken_has_a_code(tmp_path: Path, name: str, data: bytes, code: str) -> None:
    failure = load_file(tmp_path, name, data)
    assert isinstance(failure, Failure)
    assert failure.code == code
    assert str(tmp_path) not in failure.detail


def test_a_damaged_picture_goes_to_the_decoder_which_says_more(tmp_path: Path) -> None:
    assert isinstance(load_file(tmp_path, "a.jpg", b"no picture"), ImageItem)
    assert isinstance(load_file(tmp_path, "a.mp3", b"no sound"), AudioItem)


def test_vanished_folders_and_pipes_are_failures(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("gone", "pipe", "."):
        failure = load(Entry(0, name, name, file=str(tmp_path / name)), LIMITS)
        assert isinstance(failure, Failure)
        assert failure.code == "unreadable_file"


def test_a_member_that_the_archive_lacks_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"x" * 100)
    assert isinstance(load(Entry(0, "a", "a", file=str(tmp_path / "a.tar"), offset=50, size=51), LIMITS), Failure)
    whole = load(Entry(0, "a", "a.txt", file=str(tmp_path / "a.tar"), offset=90, size=10), LIMITS)
    assert whole == TextItem("x" * 10, "")
