r"""Character classes that a regular expression of `tokenizer.json` spells out, code point by code point.

Named classes (`\p{L}`) mean what the engine's own Unicode version says, so a file that uses them splits text
differently from one library version to the next. Here the classes are asked from the two things that the reference
runs: Python's `str.lower` and the `regex` module.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import chain

import regex

_SURROGATES = range(0xD800, 0xE000)  # UTF-8 can't carry them


def code_points() -> Iterable[str]:
    """Every character that a text can hold, in order."""
    return map(chr, chain(range(_SURROGATES.start), range(_SURROGATES.stop, sys.maxunicode + 1)))


def matching(pattern: str) -> list[str]:
    """The characters that a one-character pattern of the `regex` module matches, in order."""
    found: list[str] = regex.findall(pattern, "".join(code_points()))
    return found


def class_body(characters: Iterable[str]) -> str:
    r"""The inside of `[…]` for these characters, as ranges `\x{a}-\x{b}`; `characters` ascend."""
    ranges: list[list[int]] = []
    for point in map(ord, characters):
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "".join(_range(first, last) for first, last in ranges)


def cased() -> list[str]:
    """Characters that `str.lower` counts as a letter next to a capital sigma: cased and not case-ignorable.

    `str.lower` writes the capital sigma as ς where a cased letter stands before it and none after it, both seen
    across case-ignorable characters (Unicode, section 3.13, Final_Sigma). Of "1", c, Σ only such a c ends in ς.
    """
    return [c for c in code_points() if f"1{c}Σ".lower()[-1] == "ς"]


def case_ignorable() -> list[str]:
    """Characters that `str.lower` looks across when it decides about a capital sigma: of "a", c, Σ they keep the ς."""
    seen = set(cased())
    return [c for c in code_points() if c not in seen and f"a{c}Σ".lower()[-1] == "ς"]


def _range(first: int, last: int) -> str:
    return rf"\x{{{first:x}}}" if first == last else rf"\x{{{first:x}}}-\x{{{last:x}}}"
