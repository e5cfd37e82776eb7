"""Whether an answer is the one that a page shows, as far as it shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest

CUT = "…"
TOLERANCE = 2e-3  # pages round


def same(shown: Any, got: Any, place: str = "") -> None:
    """Compare JSON; `…` in the page stands for what it leaves out.

    Raises:
        AssertionError: they differ; it names the place.
    """
    if isinstance(shown, dict):
        shown = dict(shown)
        whole = shown.pop(CUT, None) is None
        assert shown.keys() == got.keys() if whole else shown.keys() <= got.keys(), place
        for key, value in shown.items():
            same(value, got[key], f"{place}/{key}")
    elif isinstance(shown, list):
        whole = CUT not in shown
        assert not whole or len(shown) == len(got), place
        for index, value in enumerate(shown[: None if whole else shown.index(CUT)]):
            same(value, got[index], f"{place}/{index}")
    elif isinstance(shown, float):
        assert got == pytest.approx(shown, abs=TOLERANCE, rel=TOLERANCE), place
    elif isinstance(shown, str) and shown.endswith(CUT):
        assert got.startswith(shown[:-1]), place
    else:
        assert shown == got, place


def parse_shown(answer: str) -> Any:
    """JSON as a page shows it, where `…` may be the last of an object or a list."""
    return json.loads(answer.replace(f", {CUT}}}", f', "{CUT}": 0}}').replace(f"{CUT}]", f'"{CUT}"]'))
