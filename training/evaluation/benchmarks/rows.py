"""Rows of CSV and TSV files, JSON, and files that may be missing. Every complaint names the file and the line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from training.evaluation.dataset import DataError, MediaKind

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Where a benchmark lies and which part of it is wanted.

    `data` is its folder or file. `split` None takes the one that papers report. `media` is the folder of pictures or
    sounds when it is not where the benchmark puts it. `class_names` is a file of words for the classes.
    """

    data: Path
    split: str | None = None
    media: Path | None = None
    class_names: Path | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line's cells, and where it stands."""

    file: Path
    line: int
    cells: list[str]

    def wrong(self, why: str) -> DataError:
        """The complaint about this row."""
        return DataError(f"{self.file}, line {self.line}: {why}")


def csv_rows(file: Path, cells: int, delimiter: str = ",") -> Iterator[Row]:
    """Rows of a CSV file that have at least `cells` cells; empty lines are skipped.

    Raises:
        DataError: the file can't be read, or a row is too short.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, delimiter=delimiter)
            for found in reader:
                if found:
                    yield _checked(Row(file, reader.line_num, found), cells)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: {_reason(error)}") from error


def named_rows(file: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Rows of a CSV file with a header: of each the cells of `columns`, in that order.

    Raises:
        DataError: the file can't be read, its header lacks a column, or a row is too short.
    """
    rows = csv_rows(file, 1)
    header = next(rows, None)
    if header is None:
        raise DataError(f"{file}: is empty")
    names = [cell.strip() for cell in header.cells]
    for column in columns:
        if column not in names:
            raise header.wrong(f"the header lacks the column '{column}'")
    wanted = [names.index(column) for column in columns]
    for row in rows:
        _checked(row, max(wanted) + 1)
        yield Row(row.file, row.line, [row.cells[place] for place in wanted])


def tab_rows(file: Path, cells: int) -> Iterator[Row]:
    """Rows of a tab-separated file without quoting; empty lines are skipped.

    Raises:
        DataError: the file can't be read, or a row is too short.
    """
    for number, line in enumerate(read_text(file).split("\n"), 1):
        if line.strip():
            yield _checked(Row(file, number, line.rstrip("\r").split("\t")), cells)


def read_text(file: Path) -> str:
    """A UTF-8 file.

    Raises:
        DataError: it can't be read.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: {_reason(error)}") from error


def read_json(file: Path) -> Any:
    """A JSON file.

    Raises:
        DataError: it can't be read or is not JSON.
    """
    try:
        return json.loads(read_text(file))
    except json.JSONDecodeError as error:
        raise DataError(f"{file}, line {error.lineno}: not JSON: {error.msg}") from error


def shaped(file: Path, build: Callable[[], Item]) -> Item:
    """What `build` makes of a file's contents.

    Raises:
        DataError: the contents lack a field or have one of another type.
    """
    try:
        return build()
    except KeyError as error:
        raise DataError(f"{file}: lacks the field {error}") from error
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise DataError(f"{file}: not the expected layout: {error}") from error


def first_file(candidates: Sequence[Path]) -> Path:
    """The first path that is a file.

    Raises:
        DataError: none is.
    """
    for path in candidates:
        if path.is_file():
            return path
    raise DataError("none of these files is there: " + ", ".join(map(str, candidates)))


def first_folder(candidates: Sequence[Path]) -> Path:
    """The first path that is a folder.

    Raises:
        DataError: none is.
    """
    for path in candidates:
        if path.is_dir():
            return path
    raise DataError("none of these folders is there: " + ", ".join(map(str, candidates)))


def sort_by_presence(items: Sequence[tuple[Path, Item]]) -> tuple[tuple[Item, ...], tuple[Path, ...]]:
    """The items whose file is there, and the paths of the files that are not, each once.

    Raises:
        DataError: there are items, but no file at all.
    """
    present: dict[Path, bool] = {}
    for path, _ in items:
        if path not in present:
            present[path] = path.is_file()
    missing = tuple(path for path, there in present.items() if not there)
    if items and len(missing) == len(present):
        raise DataError(f"none of the {len(missing)} files is there; the first would be {missing[0]}")
    return tuple(item for path, item in items if present[path]), missing


def media_files(folder: Path, kind: MediaKind | None = None) -> list[Path]:
    """Pictures, sounds or both in a folder, not below, in the order of their names."""
    suffixes = {"image": IMAGE_SUFFIXES, "audio": AUDIO_SUFFIXES, None: IMAGE_SUFFIXES + AUDIO_SUFFIXES}[kind]
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes and path.is_file())


def kind_of(path: Path) -> MediaKind:
    """Picture or sound, by the file's suffix.

    Raises:
        DataError: neither.
    """
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return "image"
    if path.suffix.lower() in AUDIO_SUFFIXES:
        return "audio"
    raise DataError(f"{path}: neither a picture's nor a sound's suffix")


def _checked(row: Row, cells: int) -> Row:
    if len(row.cells) < cells:
        raise row.wrong(f"{len(row.cells)} cells, {cells} are needed")
    return row


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
