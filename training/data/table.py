"""Tables of examples: tab-separated, one example a line.

    id <tab> path <tab> text [<tab> label or region]

A first line that names the columns, as in the reference's tables, may say another order: `uniq_id`, `image_id` or `id`;
`image` or `audio`; `text` or `caption`; `label` or `region_coord` (where there is neither, the text is the label).
Columns of other names are left out. `path` is a picture or a sound file, relative to the table's folder. A region is
`x0,y0,x1,y1` in pixels of the upright picture. The same file may stand on several lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_ORDER = ["id", "path", "text", "label"]
_COLUMNS = {
    **dict.fromkeys(("uniq_id", "image_id", "id"), "id"),
    **dict.fromkeys(("image", "audio"), "path"),
    **dict.fromkeys(("text", "caption"), "text"),
    **dict.fromkeys(("label", "region_coord"), "label"),
}

Box = tuple[float, float, float, float]


class TableError(Exception):
    """A table that can't be used; the message names the file, the line and the reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """One example. `label` holds the fourth column as it stands, or "" where there is none; `line` counts from 1."""

    id: str
    path: Path
    text: str
    label: str = ""
    line: int = field(default=0, compare=False)

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
        TableError: the file can't be read, a line has other than three or four columns (or than the header), or there
            is no example.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: can't be read as UTF-8 text: {error}") from error
    lines = text.rstrip("\n").split("\n")  # other line ends may stand in a text
    if lines == [""]:
        raise TableError(f"{path}: holds no examples")
    order = _read_header(lines[0])
    if order is not None and len(lines) == 1:
        raise TableError(f"{path}: holds no examples")
    return [
        _read_line(line, order, path, number)
        for number, line in enumerate(lines, start=1)
        if order is None or number > 1
    ]


def _read_header(line: str) -> list[str] | None:
    """What each column holds, "" for what is left out; None when the line is an example."""
    names = line.split("\t")
    if not {"image", "audio"} & set(names) or not {"text", "caption"} & set(names):
        return None
    return [_COLUMNS.get(name, "") for name in names]


def _read_line(line: str, order: list[str] | None, path: Path, number: int) -> Row:
    columns = line.split("\t")
    allowed = (3, 4) if order is None else (len(order),)
    if len(columns) not in allowed:
        raise TableError(f"{path}, line {number}: {len(columns)} columns instead of {' or '.join(map(str, allowed))}")
    cells = dict(zip(order or _ORDER, columns, strict=False))
    label = cells.get("label", "" if order is None else cells["text"])
    return Row(cells.get("id", str(number)), path.parent / cells["path"], cells["text"], label, number)


def write_table(path: Path, rows: Iterable[Row]) -> None:
    """Write rows, all or nothing; their paths must lie under the table's folder.

    Raises:
        TableError: a column holds a tab or a line break.
    """
    lines = []
    for row in rows:
        columns = (row.id, row.path.relative_to(path.parent).as_posix(), row.text, row.label)
        if any("\t" in column or "\n" in column or "\r" in column for column in columns):
            raise TableError(f"{path}: example {row.id!r} holds a tab or a line break")
        lines.append("\t".join(columns if row.label else columns[:3]) + "\n")
    staged = path.with_suffix(".part")
    staged.write_text("".join(lines), encoding="utf-8")
    staged.replace(path)


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
