"""`onepeace embed-files`. What it runs is imported only then."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from service.arguments import whole_number
from service.settings import Settings

if TYPE_CHECKING:
    from service.bulk.opening import JobOptions
    from service.bulk.progress import Progress
    from service.bulk.sources.protocol import Source

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
        "--rows-per-part",
        type=whole_number(1),
        metavar="N",
        help=f"default {ROWS_PER_PART}, on Ray {RAY_ROWS_PER_PART}",
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
    from service.bulk.entry import shown
    from service.bulk.errors import BulkError, OptionError, SourceError
    from service.bulk.opening import open_input

    if args.column is None and (args.id_column or args.modality):
        return _end("--id-column and --modality need --column", 2)
    if shown(str(args.out)) != str(args.out):
        return _end("--out is not UTF-8, and Parquet can't be written there", 2)
    options = _job_options(args)
    try:
        source = open_input(options)
    except SourceError as error:
        return _end(str(error), 2)
    try:
        progress = _run(options, settings, source, args.ray)
    except OptionError as error:
        return _end(str(error), 2)
    except BulkError as error:
        return _end(str(error), 1)
    except ModuleNotFoundError as error:
        return _end(f"{error.name} is missing: {INSTALL.get(error.name or '', 'it belongs to this package')}", 1)
    except KeyboardInterrupt:
        return _end("stopped; what is done is kept, and the same command goes on from there", INTERRUPTED)
    return _end(f"{options.out}: {progress.line()}", 0)


def _job_options(args: argparse.Namespace) -> JobOptions:
    from service.bulk.opening import JobOptions
    from service.bulk.sources.table import Columns

    columns = None if args.column is None else Columns(args.column, args.id_column, args.modality == "text")
    rows_per_part = args.rows_per_part or (ROWS_PER_PART if args.ray is None else RAY_ROWS_PER_PART)
    return JobOptions(args.source, args.out, rows_per_part, columns, args.server, args.restart)


def _run(options: JobOptions, settings: Settings, source: Source, ray_address: str | None) -> Progress:
    if ray_address is None:
        from service.bulk.process_job import run_here

        return run_here(options, settings, source)
    from service.bulk.ray_job import run_on_ray

    return run_on_ray(options, settings, source, ray_address)


def _end(message: str, code: int) -> int:
    from service.bulk.progress import say

    say(message)
    return code
