"""What argparse makes of the shared checks."""

from __future__ import annotations

import argparse
import sys

import pytest

from service.arguments import whole_number


@pytest.mark.parametrize(("value", "least", "expected"), [("1", 1, 1), ("0", 0, 0), ("-3", -3, -3), ("1000", 1, 1000)])
def test_numbers_from_the_least_on_are_taken(value: str, least: int, expected: int) -> None:
    assert whole_number(least)(value) == expected


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "", "9" * (sys.get_int_max_str_digits() + 1)])
def test_anything_else_is_a_wrong_argument_that_says_what_would_do(
    capsys: pytest.CaptureFixture[str], value: str
) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--limit", type=whole_number(1))
    with pytest.raises(SystemExit) as end:
        parser.parse_args([f"--limit={value}"])
    assert end.value.code == 2
    assert "argument --limit: must be a whole number from 1, not" in capsys.readouterr().err
