"""What a job wrote down at its start, so that only the same job goes on: options, model, limits, the source's files."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any

import orjson

from service.bulk.embedder import Identity
from service.bulk.entry import shown
from service.bulk.errors import StoreError
from service.bulk.sources.protocol import Source, Stamp
from service.bulk.table import metadata_of, put_in_place

RECORD, FILES = "_job.json", "_files.jsonl"
NEW_RECORD, NEW_FILES = "_job.tmp", "_files.tmp"
RESTART = "--restart begins anew"

Record = dict[str, Any]


def agree(folder: Path, one_file: Path | None, source: Source, identity: Identity) -> Record:
    """The record of this job, which must be that of the run before, if there was one.

    Args:
        folder: where the record and the list of files lie, or will.
        one_file: the table that a finished job has made of its parts; it holds the record, too.
        source: listed again, to see whether it has changed.
        identity: what answers.

    Raises:
        StoreError: the output belongs to another job; says in what they differ.
        SourceError: the source can't be read.
    """
    try:
        record: Record = {
            **{name: value if value is None else shown(value) for name, value in source.options.items()},
            "files_sha256": _list_files(source, folder / NEW_FILES),
            "model": identity.model,
            "fingerprint": identity.fingerprint,
            "dimensions": identity.dimensions,
            **asdict(identity.limits),
        }
        before = _record_before(folder, one_file)
        if before is not None and (what := _first_difference(folder, before, record)):
            raise StoreError(f"{one_file or folder} holds another job: {what}; {RESTART}")
    except BaseException:
        (folder / NEW_FILES).unlink(missing_ok=True)
        raise
    put_in_place(folder / NEW_FILES, folder / FILES)
    if not (folder / RECORD).exists():
        (folder / NEW_RECORD).write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
        put_in_place(folder / NEW_RECORD, folder / RECORD)
    return record


def _record_before(folder: Path, one_file: Path | None) -> Record | None:
    if (folder / RECORD).exists():
        record: Record = orjson.loads((folder / RECORD).read_bytes())
        return record
    return metadata_of(one_file) if one_file is not None and one_file.exists() else None


def _list_files(source: Source, path: Path) -> str:
    """Write the source's files down; the SHA-256 of the list."""
    digest = hashlib.sha256()
    with open(path, "w", encoding="ascii") as lines:
        for stamp in source.files():
            line = stamp.line() + "\n"
            digest.update(line.encode())
            lines.write(line)
    return digest.hexdigest()


def _first_difference(folder: Path, before: Record, now: Record) -> str | None:
    differing = [key for key in {**now, **before} if before.get(key) != now.get(key)]
    for key in differing:
        if key != "files_sha256":
            return f"{key} was {before.get(key)}, and is {now.get(key)}"
    return f"the source has changed: {_first_change(folder)}" if differing else None


def _first_change(folder: Path) -> str:
    if not (folder / FILES).exists():
        return "its files are not the same"
    with open(folder / FILES, encoding="ascii") as old_lines, open(folder / NEW_FILES, encoding="ascii") as new_lines:
        pairs = zip_longest(old_lines, new_lines)
        old_line, new_line = next(pair for pair in pairs if pair[0] != pair[1])
    old = None if old_line is None else Stamp.of_line(old_line)
    new = None if new_line is None else Stamp.of_line(new_line)
    if old is not None and (new is None or old.path < new.path):
        return f"'{old.path}' is gone"
    if new is not None and (old is None or new.path < old.path):
        return f"'{new.path}' is new"
    return f"'{old.path if old else ''}' is not what it was"
