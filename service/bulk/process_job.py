"""The job in this process, on an event loop of its own."""

from __future__ import annotations

import asyncio

from service.bulk.job import Job
from service.bulk.opening import JobOptions, make_embedder, open_store
from service.bulk.progress import Progress
from service.bulk.row import Row
from service.bulk.sources.protocol import Source
from service.settings import Settings


def run_here(options: JobOptions, settings: Settings, source: Source) -> Progress:
    """Embed all rows of the source that are missing; gives the final count.

    Raises:
        BulkError: the source, the disk or the engine failed for good; rows that were kept stay.
        RepositoryError: the model repository can't be served.
    """
    return asyncio.run(_run(options, settings, source))


async def _run(options: JobOptions, settings: Settings, source: Source) -> Progress:
    embedder = make_embedder(options.server, settings)
    try:
        identity = await embedder.start()
        store = open_store(options, source, identity)
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
    return progress
