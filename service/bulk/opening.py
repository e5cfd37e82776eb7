"""What a user asked for, opened: the source, who embeds, the output."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from service.bulk.embedder import BulkEmbedder, Identity
from service.bulk.progress import say
from service.bulk.sources.choice import open_source
from service.bulk.sources.protocol import Source
from service.bulk.sources.table import Columns
from service.bulk.store import Store
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class JobOptions:
    """One job.

    Attributes:
        source: what `open_source` takes.
        out: folder of parts, or one file if it ends in `.parquet`.
        rows_per_part: at least 1.
        columns: those of a table; None for any other source.
        server: address of a running service; None: the engine runs in this process, or in Ray's.
        restart: whether to throw away what an earlier run wrote.
    """

    source: str
    out: Path
    rows_per_part: int
    columns: Columns | None = None
    server: str | None = None
    restart: bool = False


def open_input(options: JobOptions) -> Source:
    """The source, without the output if that lies in it.

    Raises:
        SourceError: there is no such thing, or the columns don't fit it.
    """
    out = os.path.realpath(options.out)
    return open_source(options.source, options.columns, frozenset({out, out + ".parts"}))


def open_store(options: JobOptions, source: Source, identity: Identity) -> Store:
    """The output; says how much of it is done.

    Raises:
        StoreError: it belongs to another job, is being written by one, or can't be written.
        SourceError: the source can't be read.
    """
    store = Store(options.out, source, identity, restart=options.restart, rows_per_part=options.rows_per_part)
    if store.done_rows:
        say(f"{store.done_rows} rows are done already")
    return store


def make_embedder(server: str | None, settings: Settings) -> BulkEmbedder:
    """The engine in this process, or the service at an address.

    Raises:
        RepositoryError: the model repository can't be served.
        OptionError: the address is none.
        ModuleNotFoundError: the client library is not installed.
    """
    if server is None:
        from service.bulk.local import LocalEmbedder

        return LocalEmbedder(settings)
    from service.bulk.remote import RemoteEmbedder

    return RemoteEmbedder(server, settings.api_key.get_secret_value() or None)
