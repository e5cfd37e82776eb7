"""Figures know their bounds; reports survive JSON; the page takes the tables it has places for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.load.experiment import Figure, broken, find_experiments
from tests.load.report import Report, fill_page, read_json, write_json

LATE = Figure("rejection, 99th percentile", 61.26, "ms", at_most=50)
FIGURES = [
    LATE,
    Figure("rejected", 12_000, at_least=1),
    Figure("memory growth", 200, "MiB", at_least=32, control=True),
    Figure("lost", 0, at_least=0, at_most=0),
    Figure("engine", "onnx"),
]
REPORT = Report("overload", "small", FIGURES, 61.4, "two shared cores", 0.5, "2026-11-27")
PAGE = "# Page\n\n<!-- figures: overload -->\nformer\n<!-- end -->\n\n<!-- figures: soak -->\nkept\n<!-- end -->\n"


def test_only_what_is_out_of_bounds_is_broken() -> None:
    assert broken(FIGURES) == ["rejection, 99th percentile: 61.3 ms, must be ≤ 50 ms"]


def test_reports_survive_json(tmp_path: Path) -> None:
    write_json([REPORT], tmp_path / "reports.json")
    assert read_json(tmp_path / "reports.json") == [REPORT]


def test_the_page_gets_the_table_and_how_it_was_made() -> None:
    page = fill_page(PAGE, [REPORT])
    assert "former" not in page
    assert "kept" in page
    assert "| rejection, 99th percentile | 61.3 ms | ≤ 50 ms | **no** |" in page
    assert "| rejected | 12,000 | ≥ 1 | yes |" in page
    assert "| control: memory growth | 200 MiB | ≥ 32 MiB | yes |" in page
    assert "| lost | 0 | = 0 | yes |" in page
    assert "| engine | onnx |  |  |" in page
    assert "`python -m tests.load overload --scale small`, 2026-11-27, two shared cores, 61 s" in page
    assert fill_page(page, [REPORT]) == page


def test_a_page_without_a_place_is_an_error() -> None:
    with pytest.raises(ValueError, match="overload"):
        fill_page("# Page\n", [REPORT])


def test_every_experiment_has_a_place_on_the_page() -> None:
    page = Path("docs/reliability.md").read_text(encoding="utf-8")
    for name in find_experiments():
        assert page.count(f"<!-- figures: {name} -->\n") == 1
