"""The same job on Ray Data: entries are spread over machines, each of which has an engine and writes whole parts.

All machines must see the source, the output and the model repository under the same paths, and have this package.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from service.bulk.claim import new_run, retire_run
from service.bulk.embedder import Identity
from service.bulk.entry import Entry, Failure
from service.bulk.errors import EngineGone
from service.bulk.job import Job
from service.bulk.opening import JobOptions, make_embedder, open_store
from service.bulk.progress import Progress
from service.bulk.ray_library import load_ray
from service.bulk.row import Row
from service.bulk.sources.protocol import Source
from service.bulk.store import Store
from service.bulk.table import to_table, write_part
from service.settings import Settings, available_cores

ENTRY = pa.schema(
    [
        ("row", pa.int64()),
        ("id", pa.string()),
        ("path", pa.string()),
        ("text", pa.string()),
        ("file", pa.binary()),  # as the operating system has it, which need not be UTF-8
        ("failure_code", pa.string()),
        ("failure_detail", pa.string()),
        ("offset", pa.int64()),
        ("size", pa.int64()),
    ]
)

MAX_BLOCKS = 2000


@dataclass(frozen=True, slots=True)
class Plan:
    """What each worker must know."""

    settings: dict[str, Any]
    server: str | None
    identity: Identity
    schema: Any  # pa.Schema of the parts
    folder: Path
    run: str  # name of the run's own folder in there


class Worker:
    """One engine on one machine, held by a Ray actor: a batch of entries becomes a part."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._loop = asyncio.new_event_loop()
        self._embedder = make_embedder(plan.server, Settings(**plan.settings))
        identity = self._loop.run_until_complete(self._embedder.start())
        if identity != plan.identity:
            raise EngineGone(f"a worker has another model or other limits: {identity}")

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Embed one `list` of `ENTRY` and write its part; gives each row's number, and whether it has an error."""
        rows: list[Row] = []
        (path,) = batch.column("list").to_pylist()
        with pq.ParquetFile(path) as file:
            entries = [_entry(fields) for fields in file.read().to_pylist()]
        self._loop.run_until_complete(Job(self._embedder, self._plan.identity, rows.append).run(iter(entries)))
        table = to_table(rows, self._plan.schema)
        write_part(table, self._plan.folder, f"{self._plan.run}/{uuid4().hex}.tmp")
        return pa.table({"row": table.column("row"), "failed": table.column("error_code").is_valid()})


def run_on_ray(options: JobOptions, settings: Settings, source: Source, address: str) -> Progress:
    """As `run_here`, in parts of `rows_per_part` rows.

    Args:
        options: the job.
        settings: those of the engines.
        source: the opened input.
        address: of a cluster, `auto` for the one that this machine is in; empty: one is started here.

    Raises:
        BulkError: the source, the disk or an engine failed for good; parts that were written stay.
        RepositoryError: the model repository can't be served.
        ModuleNotFoundError: Ray is not installed.
    """
    ray = load_ray()
    settings = settings.model_copy(update={"model_repository": settings.model_repository.absolute()})
    identity = asyncio.run(_identity(options.server, settings))
    store = open_store(options, source, identity)
    run = new_run(store.folder.absolute())
    begun_here = not ray.is_initialized()
    try:
        plan = Plan(settings.model_dump(), options.server, identity, store.schema, run.parent, run.name)
        lists = _write_lists(store.missing(source), run, options.rows_per_part)
        progress = Progress(source.count(store.files()), store.done_rows, store.failed_rows)
        if lists:
            _connect(address)
            with progress:
                _embed(lists, plan, store, progress)
        store.finish()
    finally:
        if begun_here and ray.is_initialized():
            ray.shutdown()
        if run.exists():
            retire_run(run)
        store.close()
    return progress


async def _identity(server: str | None, settings: Settings) -> Identity:
    from service.bulk.local import LocalEmbedder

    embedder = make_embedder(server, settings)
    try:
        return embedder.identity() if isinstance(embedder, LocalEmbedder) else await embedder.start()
    finally:
        await embedder.close()


def _connect(address: str) -> None:
    ray = load_ray()
    if ray.is_initialized():
        return
    if address:
        ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False)
    else:
        ray.init(
            address="local",
            num_cpus=max(2, available_cores()),
            include_dashboard=False,
            logging_level=logging.WARNING,
            log_to_driver=False,
        )


def _write_lists(entries: Iterator[Entry], folder: Path, rows: int) -> list[str]:
    """Entries as tables of `ENTRY`, `rows` in each."""
    paths: list[str] = []
    while some := list(islice(entries, rows)):
        paths.append(str(folder / f"{len(paths):09d}.parquet"))
        pq.write_table(pa.Table.from_pylist([_fields(entry) for entry in some], ENTRY), paths[-1])
    return paths


def _embed(lists: list[str], plan: Plan, store: Store, progress: Progress) -> None:
    ray = load_ray()
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    resources = ray.cluster_resources()
    gpus = 0 if plan.server else int(resources.get("GPU", 0))
    workers = max(1, min(len(lists), gpus or len(ray.nodes())))
    # Names alone: `read_parquet` looks at many files in threads that trip over each other's imports (Ray 2.60).
    names = ray.data.from_items([{"list": path} for path in lists], override_num_blocks=min(len(lists), MAX_BLOCKS))
    answers = names.map_batches(
        Worker,
        fn_constructor_args=(plan,),
        batch_size=1,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers),
        num_cpus=1,  # Ray knows nothing of the engine's threads
        num_gpus=1 if gpus else None,
    )
    try:
        for batch in answers.iter_batches(batch_size=None, batch_format="pyarrow"):
            rows, failed = batch.column("row").to_pylist(), sum(batch.column("failed").to_pylist())
            store.count_written(rows, failed)
            progress.add(len(rows), failed)
    except ray.exceptions.RayError as error:
        raise EngineGone(f"Ray: {error}") from error


def _fields(entry: Entry) -> dict[str, Any]:
    return {
        "row": entry.row,
        "id": entry.id,
        "path": entry.path,
        "text": entry.text,
        "file": None if entry.file is None else os.fsencode(os.path.abspath(entry.file)),
        "failure_code": None if entry.failure is None else entry.failure.code,
        "failure_detail": None if entry.failure is None else entry.failure.detail,
        "offset": entry.offset,
        "size": entry.size,
    }


def _entry(fields: dict[str, Any]) -> Entry:
    code, detail, file = (fields.pop(name) for name in ("failure_code", "failure_detail", "file"))
    failure = None if code is None else Failure(code, detail)
    return Entry(**fields, failure=failure, file=None if file is None else os.fsdecode(file))
