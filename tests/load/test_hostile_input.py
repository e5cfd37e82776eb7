"""The experiments with hostile input at small scale: all bounds must hold."""

from __future__ import annotations

import itertools
from importlib.util import find_spec

import pytest

from tests.load.experiment import broken, find_experiments
from tests.load.hostile.chunks import find_parts, repair
from tests.load.hostile.mutation import mutate_media
from tests.load.hostile.seeds import find_seeds

NEEDED = {"generated_requests": "schemathesis", "coverage_guided": "atheris"}


@pytest.mark.parametrize("name", ["bombs", "mutated_media", "generated_requests", "coverage_guided"])
def test_what_must_hold_holds_at_small_scale(name: str) -> None:
    needed = NEEDED.get(name)
    if needed and find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed: make .venv/fuzz")
    figures = find_experiments()[name].run("small")
    assert not broken(figures)


def test_good_files_are_split_whole_and_their_checksums_are_right() -> None:
    for seed in find_seeds():
        offsets = find_parts(seed.data, seed.form)
        pieces = [seed.data[start:end] for start, end in itertools.pairwise(offsets)]
        assert b"".join(pieces) == seed.data
        assert len(pieces) > 1
        assert repair(seed.data, seed.form) == seed.data


def test_damage_is_the_same_for_the_same_seed_and_leaves_nothing_whole() -> None:
    seeds = find_seeds()
    first, again = ([mutant.data for mutant in mutate_media(seeds, 200, 3)] for _ in range(2))
    assert first == again
    assert sum(data == seeds[number % len(seeds)].data for number, data in enumerate(first)) < 10
