"""`onepeace embed-files`. What it runs is imported only then."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from service.settings import Settings

if TYPE_CHECKING:
    from service.bulk.embedder import BulkEmbedder, Identity
    from service.bulk.row import Row
    from service.bulk.sources.protocol import Source
    from service.bulk.store import Store

INSTALL = {
    "ray": "pip install 'ray[data]', or this package with the extra 'ray'",
    "onepeace_client": "pip install ./client; for grpc:// './client[grpc]'",
    "grpc": "pip install './client[grpc]'",
}
INTERRUPTED = 130  # 128 + SIGINT, as a shell has it
ROWS_PER_PART, RAY_ROWS_PER_PART = 4096, 512
SOURCE_HELP = (
    "a folder; a pattern in quotes ('photos/**/*.jpg'); a .tsv, .csv or .parquet table with --column; WebDataset tars "
    "('shard-{000..012}.tar', 'shards/*.tar'); or - for paths on standard input"
)


def add_bulk_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `onepeace embed-files`, without the settings."""
    parser.add_argument("source", metavar="SOURCE", help=SOURCE_HELP)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="OUT",
        help="folder of parts, or one file if it ends in .parquet",
    )
    parser.add_argument("--column", metavar="NAME", help="column with paths, relative to the table's folder, or texts")
    parser.add_argument("--id-column", metavar="NAME", help="column that names the rows (default: their number)")
    parser.add_argument("--modality", choices=["text"], help="the column holds texts, not paths")
    parser.add_argument("--server", metavar="URL", help="ask a running service: http://… or grpc://…")
    parser.add_argument("--restart", action="store_true", help="throw away what an earlier run wrote")
    parser.add_argument(
        "--rows-per-part", type=_positive, metavar="N", help=f"default {ROWS_PER_PART}, on Ray {RAY_ROWS_PER_PART}"
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="run on Ray: the cluster at ADDRESS (auto: the one that this machine is in), or one started here",
    )


def run_bulk(args: argparse.Namespace, settings: Settings) -> int:
    """Run `onepeace embed-files`: 0 every row is written, 1 failed for good, 2 wrong arguments, 130 interrupted."""
    from service.bulk.errors import BulkError, SourceError

    if args.column is None and (args.id_column or args.modality):
        return _complain("--id-column and --modality need --column", 2)
    try:
        source = _source(args)
    except SourceError as error:
        return _complain(str(error), 2)
    try:
        if args.ray is not None:
            from service.bulk.ray_job import run_on_ray

            return run_on_ray(args, settings, source)
        return asyncio.run(_run(args, settings, source))
    except BulkError as error:
        return _complain(str(error), 1)
    except ModuleNotFoundError as error:
        return _complain(f"{error.name} is missing: {INSTALL.get(error.name or '', 'it belongs to this package')}", 1)
    except KeyboardInterrupt:
        return _complain("stopped; what is done is kept, and the same command goes on from there", INTERRUPTED)


def open_store(args: argparse.Namespace, source: Source, identity: Identity) -> Store:
    """The output as the arguments name it."""
    from service.bulk.store import Store

    rows_per_part = args.rows_per_part or ROWS_PER_PART
    store = Store(args.out, source, identity, restart=args.restart, rows_per_part=rows_per_part)
    if store.done_rows:
        say(f"{store.done_rows} rows are done already")
    return store


def _source(args: argparse.Namespace) -> Source:
    from service.bulk.sources.choice import open_source
    from service.bulk.sources.table import Columns

    columns = None if args.column is None else Columns(args.column, args.id_column, args.modality == "text")
    out = os.path.realpath(args.out)
    return open_source(args.source, columns, frozenset({out, out + ".parts"}))


async def _run(args: argparse.Namespace, settings: Settings, source: Source) -> int:
    from service.bulk.job import Job
    from service.bulk.progress import Progress

    embedder = make_embedder(args.server, settings)
    try:
        identity = await embedder.start()
        store = open_store(args, source, identity)
        try:
            progress = Progress(source.count(store.files()), store.done_rows, store.failed_rows)

            def keep(row: Row) -> None:
                store.add(row)
                progress.add(1, int(row.failure is not None))

            with progress:
                await Job(embedder, identity, keep).run(store.missing(source))
            store.finish()
        finally:
            store.close()
    finally:
        await embedder.close()
    say(f"{args.out}: {progress.line()}")
    return 0


def make_embedder(server: str | None, settings: Settings) -> BulkEmbedder:
    """The engine in this process, or the service at an address."""
    if server is None:
        from service.bulk.local import LocalEmbedder

        return LocalEmbedder(settings)
    from service.bulk.remote import RemoteEmbedder

    return RemoteEmbedder(server, settings.api_key.get_secret_value() or None)


def _positive(value: str) -> int:
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return number


def say(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"onepeace: {message}\n")


def _complain(message: str, code: int) -> int:
    say(message)
    return code
