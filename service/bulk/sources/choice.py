"""Which kind of source a user means."""

from __future__ import annotations

import os
import sys

from service.bulk.errors import SourceError
from service.bulk.sources.archive import Archives
from service.bulk.sources.files import MAGIC, file_source, folder_source, glob_source, list_source
from service.bulk.sources.protocol import Source
from service.bulk.sources.table import TABLE_SUFFIXES, Columns, Table

COMPRESSED = (".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")


def open_source(source: str, columns: Columns | None, left_out: frozenset[str] = frozenset()) -> Source:
    """The source that `source` names: `-`, a folder, a table, archives, a pattern or a file.

    `columns` belongs to tables only. `left_out`: real paths that no folder or pattern takes in, such as the output.

    Raises:
        SourceError: there is no such thing, or the columns don't fit it.
    """
    if source.lower().endswith(TABLE_SUFFIXES) and not MAGIC.search(source) and not os.path.isdir(source):
        return _open_table(source, columns)
    if columns is not None:
        raise SourceError("--column, --id-column and --modality belong to a .tsv, .csv or .parquet table")
    if source == "-":
        return list_source(sys.stdin.buffer)
    if os.path.isdir(source):
        return folder_source(source, left_out)
    if source.lower().endswith(".tar"):
        return Archives(source)
    if source.lower().endswith(COMPRESSED):
        raise SourceError("compressed archives can't be read from the middle: unpack them to .tar")
    if os.path.isfile(source):
        return file_source(source)
    if MAGIC.search(source):
        return glob_source(source, left_out)
    raise SourceError(f"no file or folder '{source}'")


def _open_table(path: str, columns: Columns | None) -> Table:
    if not os.path.isfile(path):
        raise SourceError(f"no file '{path}'")
    if columns is None:
        raise SourceError("a table needs --column, the one that holds paths (or texts, with --modality text)")
    return Table(path, columns)
