"""Checks of command-line arguments that several commands share, for `type=` of argparse."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable


def whole_number(least: int) -> Callable[[str], int]:
    """A check for whole numbers from `least` on, which raises what argparse shows as a wrong argument."""

    def check(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            number = least - 1
        if number < least:
            raise ArgumentTypeError(f"must be a whole number from {least}, not '{value}'")
        return number

    return check
