"""Rows of a TSV, CSV or Parquet table: one column holds paths or texts."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.bulk.entry import Entry, Failure, shown
from service.bulk.errors import SourceError
from service.bulk.sources.protocol import Stamp
from service.errors import InvalidField, InvalidText

TABLE_SUFFIXES = (".tsv", ".csv", ".parquet")
MAX_CELL_CHARS = 1 << 24
BATCH_ROWS = 1024

Cells = tuple[str | Failure | None, str | None]
"""The content and the id; None for an empty place, a failure for a row that does not fit the header."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns count. `holds_texts`: the content is the text itself, not a path."""

    content: str
    id: str | None = None
    holds_texts: bool = False


class Table:
    """One row for each row of a table; paths are relative to its folder.

    Raises (on creation):
        SourceError: it can't be read, or has no such columns.
    """

    def __init__(self, path: str, columns: Columns) -> None:
        self._path, self._columns = path, columns
        self.options: Mapping[str, str | None] = {
            "kind": "table",
            "source": os.path.abspath(path),
            "column": columns.content,
            "id_column": columns.id,
            "modality": "text" if columns.holds_texts else None,
        }
        if self._is_parquet:
            with _parquet(path) as file:
                self._parquet_columns(file.schema_arrow)
                self._count = int(file.metadata.num_rows)
        else:
            self._count = sum(1 for _ in self._text_rows())  # to the end, before anything is written

    def files(self) -> Iterator[Stamp]:
        """As `Source.files`: the table itself."""
        yield Stamp.of_file(self._path)

    def entries(self, files: Iterable[Stamp]) -> Iterator[Entry]:  # noqa: ARG002
        """As `Source.entries`."""
        folder = os.path.dirname(self._path)
        for row, (content, name) in enumerate(self._rows()):
            name = str(row) if name is None else name
            if content is None or (not content and not self._columns.holds_texts):
                content = Failure(
                    InvalidField.code, f"the column '{shown(self._columns.content)}' is empty in this row"
                )
            elif self._columns.holds_texts and isinstance(content, str) and not _is_utf8(content):
                content = Failure(InvalidText.code, "the text is not UTF-8")
            if isinstance(content, Failure):
                yield Entry(row, name, failure=content)
            elif self._columns.holds_texts:
                yield Entry(row, name, text=content, size=len(content))
            else:
                path = os.path.join(folder, content)
                size = max(0, Stamp.of_file(path).size)
                yield Entry(row, name, shown(path), file=path, size=size)

    def count(self, files: Iterable[Stamp]) -> int | None:  # noqa: ARG002
        """As `Source.count`."""
        return self._count

    @property
    def _is_parquet(self) -> bool:
        return self._path.lower().endswith(".parquet")

    def _rows(self) -> Iterator[Cells]:
        return self._parquet_rows() if self._is_parquet else self._text_rows()

    def _text_rows(self) -> Iterator[Cells]:
        csv.field_size_limit(MAX_CELL_CHARS)
        delimiter = "\t" if self._path.lower().endswith(".tsv") else ","
        lines = 0  # in front of the row that is being read
        try:
            # A byte that is not UTF-8 becomes a lone surrogate: fit for a path, and refused in a text.
            with open(self._path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
                reader = csv.reader(file, delimiter=delimiter, strict=True)  # else a quote left open swallows rows
                header = next(reader, [])
                places = [self._place(header, name) for name in (self._columns.content, self._columns.id)]
                lines = reader.line_num
                for cells in reader:
                    lines = reader.line_num
                    if cells:
                        content, name = (_cell(cells, place) for place in places)
                        yield _extra(cells, header) or content, None if name is None else shown(name)
        except csv.Error as error:
            raise SourceError(f"{shown(self._path)}: the row that begins in line {lines + 1}: {error}") from error
        except OSError as error:
            raise SourceError(f"{shown(self._path)}: {error.strerror}") from error

    def _parquet_rows(self) -> Iterator[Cells]:
        import pyarrow as pa

        with _parquet(self._path) as file:
            wanted = self._parquet_columns(file.schema_arrow)
            try:
                for batch in file.iter_batches(BATCH_ROWS, columns=wanted):
                    columns = [batch.column(name).to_pylist() for name in wanted]
                    for cells in zip(*columns, strict=True):
                        yield cells[0], None if cells[-1] is None or len(cells) == 1 else str(cells[-1])
            except (OSError, pa.ArrowException) as error:
                raise SourceError(f"{shown(self._path)}: {_one_line(error)}") from error

    def _parquet_columns(self, schema: Any) -> list[str]:
        """The names of the columns to read: the content, and the id if there is one."""
        import pyarrow as pa

        wanted = [name for name in (self._columns.content, self._columns.id) if name is not None]
        for name in wanted:
            self._place(schema.names, name)
        kind = schema.field(self._columns.content).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
            raise SourceError(f"{shown(self._path)}: the column '{self._columns.content}' holds {kind}, not strings")
        return wanted

    def _place(self, header: list[str], name: str | None) -> int | None:
        if name is None:
            return None
        if not header:
            raise SourceError(f"{shown(self._path)} is empty: it has no line with the names of its columns")
        if name not in header:
            raise SourceError(f"{shown(self._path)} has no column '{name}', only {', '.join(map(repr, header))}")
        if header.count(name) > 1:
            raise SourceError(f"{shown(self._path)} has more than one column '{name}'")
        return header.index(name)


def _cell(cells: list[str], place: int | None) -> str | None:
    return cells[place] if place is not None and place < len(cells) else None


def _extra(cells: list[str], header: list[str]) -> Failure | None:
    """What is wrong with a row that has more cells than the header: a text with a comma and without quotes, say."""
    if not any(cells[len(header) :]):
        return None
    return Failure(InvalidField.code, f"the row has {len(cells)} cells, the header {len(header)}")


def _is_utf8(text: str) -> bool:
    """Whether all bytes of a text were UTF-8: others are lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parquet(path: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(pa.OSFile(os.fsencode(path)))  # a name as text must be UTF-8
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{shown(path)}: not a readable Parquet file: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    """What Arrow says, which may have line breaks."""
    return " ".join(str(error).split())
