"""Finished models take the places of older ones all together or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.publication import publish

NAMES = ["audio", "image", "text"]


@pytest.fixture
def folders(tmp_path):
    """New models in a staging folder; an old `audio`, an old `text`, and a model that is not exported."""
    staging = tmp_path / ".export-x"
    for name in NAMES:
        write(staging / name, "new")
    for name in ("audio", "text", "vqa"):
        write(tmp_path / name, "old")
    return staging, tmp_path


def write(folder, content):
    folder.mkdir(parents=True)
    (folder / "model").write_text(content)


def models(out):
    return {file.parent.name: file.read_text() for file in sorted(out.glob("[a-z]*/model"))}


def test_new_models_replace_old_ones_and_leave_the_others(folders):
    publish(*folders, NAMES)
    assert models(folders[1]) == {"audio": "new", "image": "new", "text": "new", "vqa": "old"}


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt()])
@pytest.mark.parametrize("failing", range(5))
@pytest.mark.parametrize("moved", [False, True])
def test_a_move_that_fails_takes_all_moves_back(folders, monkeypatch, failing, error, moved):
    before, rename, calls = models(folders[1]), Path.rename, []

    def fail_once(path, target):
        calls.append(path)
        if len(calls) != failing + 1:
            return rename(path, target)
        if moved:  # interrupted just behind the move
            rename(path, target)
        raise error

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(type(error)):
        publish(*folders, NAMES)
    assert models(folders[1]) == before
    assert set(models(folders[0])) == set(NAMES)
