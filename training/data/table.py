"""Tables of examples in the reference's layout: tab-separated, one example a line, no header.

    id <tab> path <tab> text [<tab> label or region]

`path` is a picture or a sound file, relative to the table's folder. A region is `x0,y0,x1,y1` in pixels of the upright
picture. The same file may stand on several lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

Box = tuple[float, float, float, float]


class TableError(Exception):
    """A table that can't be used; the message names the file, the line and the reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """One example. `label` holds the fourth column as it stands, or "" where there is none."""

    id: str
    path: Path
    text: str
    label: str = ""

    def region(self) -> Box:
        """The fourth column as x0, y0, x1, y1 in pixels.

        Raises:
            ValueError: it is not four finite numbers with x0 < x1 and y0 < y1.
        """
        try:
            x0, y0, x1, y1 = (float(part) for part in self.label.split(","))
        except ValueError as error:
            raise ValueError(f"region {self.label!r} is not four numbers") from error
        if not (-math.inf < x0 < x1 < math.inf and -math.inf < y0 < y1 < math.inf):
            raise ValueError(f"region {self.label!r} is empty or without end")
        return x0, y0, x1, y1


def read_table(path: Path) -> list[Row]:
    """All rows of a table.

    Raises:
        TableError: the file can't be read, a line has other than three or four columns, or there is no line.
    """
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")  # other line ends may stand in a text
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: can't be read as UTF-8 text: {error}") from error
    if lines == [""]:
        raise TableError(f"{path}: holds no examples")
    rows = []
    for number, line in enumerate(lines, start=1):
        columns = line.split("\t")
        if len(columns) not in (3, 4):
            raise TableError(f"{path}, line {number}: {len(columns)} columns instead of 3 or 4")
        rows.append(Row(columns[0], path.parent / columns[1], *columns[2:]))
    return rows


def write_table(path: Path, rows: Iterable[Row]) -> None:
    """Write rows; their paths must lie under the table's folder.

    Raises:
        TableError: a column holds a tab or a line break.
    """
    lines = []
    for row in rows:
        columns = (row.id, row.path.relative_to(path.parent).as_posix(), row.text, row.label)
        if any("\t" in column or "\n" in column or "\r" in column for column in columns):
            raise TableError(f"{path}: example {row.id!r} holds a tab or a line break")
        lines.append("\t".join(columns if row.label else columns[:3]) + "\n")
    path.write_text("".join(lines), encoding="utf-8")


def rows_of_folders(folder: Path) -> list[Row]:
    """Examples of a folder that holds one folder of files for each class: the class's name is text and label.

    Raises:
        TableError: there is no file in any folder.
    """
    files = sorted(path for path in folder.glob("*/*") if path.is_file() and not path.name.startswith("."))
    rows = [
        Row(str(path.relative_to(folder)), path, path.parent.name.replace("_", " "), path.parent.name) for path in files
    ]
    if not rows:
        raise TableError(f"{folder}: holds no folders with files")
    return rows
