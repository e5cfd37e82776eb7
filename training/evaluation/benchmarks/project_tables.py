"""Tables as training reads them (`training/data/table.py`): id, path, text, label or region.

Captions need no label.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.table import TableError, read_table
from training.evaluation.benchmarks.captions import captioned
from training.evaluation.benchmarks.labels import labelled
from training.evaluation.benchmarks.rows import ReadOptions, Row, kind_of, sort_by_presence
from training.evaluation.dataset import (
    Box,
    Captioned,
    DataError,
    Grounded,
    Labelled,
    MediaKind,
    Paired,
    PhraseBox,
    TaggedFile,
)

PICTURES, COLOURS, SCENES, SOUNDS, SPEECH = "pictures.tsv", "colours.tsv", "scenes.tsv", "sounds.tsv", "speech.tsv"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of such a table; `last` is the label or region, or "" where there is none."""

    path: Path
    text: str
    last: str
    row: Row


def lines_of(file: Path, labelled: bool = True) -> Iterator[Line]:
    """All rows; unless `labelled`, those without a label or region too.

    Raises:
        DataError: the file can't be read, or a row lacks what is needed.
    """
    try:
        rows = read_table(file)
    except TableError as error:
        raise DataError(str(error)) from error
    for row in rows:
        line = Line(row.path, row.text, row.label, Row(file, row.line, []))
        if labelled and not row.label:
            raise line.row.wrong("has no label or region in a fourth column")
        yield line


def read_labels(options: ReadOptions) -> Labelled:
    """Files with the labels of the last column.

    Raises:
        DataError: the table is not as expected.
    """
    lines = list(lines_of(options.data))
    return labelled(_kind(options.data, lines), [(line.path, line.last) for line in lines])


def read_captions(options: ReadOptions) -> Captioned:
    """Files with the texts of the third column.

    Raises:
        DataError: the table is not as expected.
    """
    lines = list(lines_of(options.data, labelled=False))
    return captioned(_kind(options.data, lines), [(line.path, line.text) for line in lines])


def read_regions(options: ReadOptions) -> Grounded:
    """Pictures with phrases in the third column and regions in the last.

    Raises:
        DataError: the table is not as expected.
    """
    items = [PhraseBox(line.path, line.text, _region(line)) for line in lines_of(options.data)]
    found, missing = sort_by_presence([(item.path, item) for item in items])
    return Grounded(found, missing)


def read_cross(options: ReadOptions) -> Paired:
    """`pictures.tsv` and `sounds.tsv` in DATA; `--split speech` takes `speech.tsv` in place of the sounds.

    Raises:
        DataError: a table is not as expected.
    """
    return paired(options.data / PICTURES, _sounds(options))


def read_composed(options: ReadOptions) -> Paired:
    """`colours.tsv`, whose labels are "red cow", and `sounds.tsv` (or `speech.tsv`) in DATA.

    Raises:
        DataError: a table is not as expected.
    """
    return paired(options.data / COLOURS, _sounds(options))


def paired(pictures: Path, sounds: Path) -> Paired:
    """Two tables whose labels belong together.

    Raises:
        DataError: one is not as expected.
    """
    seen, no_pictures = _tagged(pictures)
    heard, no_sounds = _tagged(sounds)
    return Paired(seen, heard, no_pictures + no_sounds)


def _tagged(file: Path) -> tuple[tuple[TaggedFile, ...], tuple[Path, ...]]:
    return sort_by_presence([(line.path, TaggedFile(line.path, line.last)) for line in lines_of(file)])


def _sounds(options: ReadOptions) -> Path:
    if options.split not in (None, "sounds", "speech"):
        raise DataError(f"the split is sounds or speech, not '{options.split}'")
    return options.data / (SPEECH if options.split == "speech" else SOUNDS)


def _kind(file: Path, lines: Sequence[Line]) -> MediaKind:
    kinds = {kind_of(line.path) for line in lines}
    if len(kinds) != 1:
        raise DataError(f"{file}: " + ("holds pictures and sounds; evaluate them apart" if kinds else "is empty"))
    return kinds.pop()


def _region(line: Line) -> Box:
    try:
        x0, y0, x1, y1 = map(float, line.last.split(","))
    except ValueError as error:
        raise line.row.wrong(f"a region is x0,y0,x1,y1 in pixels, not '{line.last}'") from error
    if not (x0 < x1 and y0 < y1):
        raise line.row.wrong(f"the region '{line.last}' has no area")
    return x0, y0, x1, y1
