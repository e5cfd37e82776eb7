"""Tables of everything that varies between pictures; each split takes its own rows of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from training.data.splits import Split, share

# Square roots whose multiples, and whose every sixth multiple, fill 0 to 1 evenly: so each split's share of a table
# covers the same ranges.
_STEPS = tuple(float(np.sqrt(prime)) for prime in (3, 13, 17, 23, 31, 7, 19, 5))


def spread(row: int, column: int, low: float, high: float) -> float:
    """The value of a table's row in one of eight columns, evenly spread from `low` to `high`."""
    return low + (high - low) * ((row + 0.5) * _STEPS[column] % 1.0)


@dataclass(frozen=True, slots=True)
class Cut:
    """How a thing is drawn.

    `stretch` is width over height against the original; `shear` the sideways shift per height; `outline_px` 0 to 2;
    `outline` an sRGB colour; `tint` what is left of red, green and blue, of 255.
    """

    stretch: float
    shear: float
    outline_px: int
    outline: tuple[int, int, int]
    tint: tuple[int, int, int]


_OUTLINES = ((25, 25, 30), (250, 250, 245), (60, 45, 40))


def _cut(row: int) -> Cut:
    return Cut(
        stretch=spread(row, 0, 0.84, 1.19),
        shear=spread(row, 1, -0.18, 0.18),
        outline_px=(0, 1, 0, 2, 0)[row % 5],
        outline=_OUTLINES[row % 7 % 3],
        tint=(int(spread(row, 2, 214, 256)), int(spread(row, 3, 214, 256)), int(spread(row, 4, 214, 256))),
    )


CUTS = tuple(_cut(row) for row in range(60))


@cache
def cuts(split: Split) -> tuple[Cut, ...]:
    """The split's own cuts."""
    return share(CUTS, split)
