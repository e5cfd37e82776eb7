"""The Parquet tables that a job writes: whole parts, put in place at once, and one file made of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from service.bulk.errors import StoreError
from service.bulk.row import Row

COMPRESSION = "zstd"
MERGED_ROWS = 4096
"""Rows of one row group in the one file."""
INPUT = pa.struct(
    [
        ("tokens", pa.int32()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("seconds", pa.float64()),
        ("used_seconds", pa.float64()),
        ("sample_rate_hz", pa.int32()),
    ]
)
"""What was done to an input; the fields of other modalities are null."""


def table_schema(dimensions: int, metadata: Mapping[str, str]) -> pa.Schema:
    """The columns (docs/bulk.md), and who made them."""
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("path", pa.string()),
            pa.field("modality", pa.string()),
            pa.field("vector", pa.list_(pa.float32(), dimensions)),
            pa.field("truncated", pa.bool_()),
            pa.field("input", INPUT),
            pa.field("error_code", pa.string()),
            pa.field("error", pa.string()),
            pa.field("row", pa.int64(), nullable=False),
        ],
        metadata=dict(metadata),
    )


def to_table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Rows as a table, in the order of the source."""
    rows = sorted(rows, key=lambda row: row.row)
    names = set(INPUT.names)
    notes = [None if row.note is None else {key: row.note[key] for key in names & row.note.keys()} for row in rows]
    columns: list[Any] = [
        pa.array([row.id for row in rows], pa.string()),
        pa.array([row.path for row in rows], pa.string()),
        pa.array([row.modality for row in rows], pa.string()),
        _vectors(rows, schema.field("vector").type),
        pa.array([row.truncated for row in rows], pa.bool_()),
        pa.array(notes, INPUT),
        pa.array([None if row.failure is None else row.failure.code for row in rows], pa.string()),
        pa.array([None if row.failure is None else row.failure.detail for row in rows], pa.string()),
        pa.array([row.row for row in rows], pa.int64()),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _vectors(rows: Sequence[Row], kind: Any) -> Any:
    values = np.zeros((len(rows), kind.list_size), np.float32)
    missing = np.zeros(len(rows), bool)
    for place, row in enumerate(rows):
        if row.vector is None:
            missing[place] = True
        else:
            values[place] = row.vector
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), type=kind, mask=pa.array(missing))


def write_part(table: pa.Table, folder: Path, temporary: str) -> Path:
    """Write a part under a temporary name, make it last, then give it its name: it is there whole, or not at all.

    The name is the first row's: parts share no row, so none has another's name.
    """
    first = table.column("row")[0].as_py() if len(table) else 0
    path = folder / f"part-{first:012d}.parquet"
    unfinished = folder / temporary
    pq.write_table(table, unfinished, compression=COMPRESSION)
    put_in_place(unfinished, path)
    return path


def put_in_place(unfinished: Path, path: Path) -> None:
    """Rename a finished file, after its bytes are on the disk; the folder's entry follows them."""
    with open(unfinished, "rb") as file:
        os.fsync(file.fileno())
    os.replace(unfinished, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def parts_of(folder: Path) -> list[Path]:
    """The parts, by their first row."""
    return sorted(folder.glob("part-*.parquet"))


def read_part(path: Path) -> tuple[list[int], int]:
    """The rows that stand in a part, and how many of them have an error.

    Raises:
        StoreError: the file is damaged.
    """
    table = _read(path, ["row", "error_code"])
    return table.column("row").to_pylist(), len(table) - table.column("error_code").null_count


def _read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns=columns)
    except (OSError, pa.ArrowException, KeyError) as error:
        what = " ".join(str(error).split())
        raise StoreError(f"{path} can't be read: {what}; delete it, and its rows are made again") from error


def merge_parts(parts: Sequence[Path], path: Path, schema: pa.Schema) -> None:
    """Write one file with the rows of all parts, in the source's order, and put it in place.

    Neighbouring parts overlap a little, because rows end out of turn; no more than those are in memory.

    Raises:
        StoreError: a part is damaged.
    """
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        with pq.ParquetWriter(unfinished, schema, compression=COMPRESSION) as writer:
            for table in _in_order(parts, schema):
                writer.write_table(table, row_group_size=MERGED_ROWS)
        put_in_place(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)  # half a table would only fill the disk
        raise


def _in_order(parts: Sequence[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    held = schema.empty_table()
    for place, part in enumerate(parts):
        held = pa.concat_tables([held, _read(part).cast(schema)]).sort_by("row")
        after = int(parts[place + 1].stem.removeprefix("part-")) if place + 1 < len(parts) else None
        rows = held.column("row").to_numpy()
        ready = len(rows) if after is None else int(np.searchsorted(rows, after))
        yield held.slice(0, ready)
        held = held.slice(ready)


def metadata_of(path: Path) -> dict[str, Any]:
    """What a file of ours says about the job that made it, under `onepeace.job`.

    Raises:
        StoreError: it is no file of ours.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
        job: dict[str, Any] = orjson.loads(metadata[b"onepeace.job"])
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise StoreError(f"{path} exists, and no job of this kind made it") from error
    return job
