"""A part of the data, spread over the whole."""

from __future__ import annotations

from pathlib import Path

from training.evaluation.dataset import Labelled, LabelledFile, Paired, TaggedFile, portions, spread


def test_a_limit_is_spread_over_all_classes() -> None:
    items = tuple(LabelledFile(Path(str(number)), (number // 10,)) for number in range(30))
    data = Labelled("image", items, ("a", "b", "c"), ("a", "b", "c"))
    assert [item.labels for item in data.limited(3).items] == [(0,), (1,), (2,)]
    assert data.limited(100) == data.limited(None) == data


def test_a_limit_keeps_the_gallery() -> None:
    files = tuple(TaggedFile(Path(str(number)), "cow") for number in range(5))
    limited = Paired(files, files).limited(2)
    assert (len(limited.pictures), len(limited.sounds)) == (5, 2)


def test_spread_is_even_and_in_order() -> None:
    assert spread(range(10), 4) == (0, 2, 5, 7)
    assert spread("ab", 4) == ("a", "b")


def test_portions_hold_everything_once() -> None:
    assert list(portions([1, 2, 3], 2)) == [[1, 2], [3]]
