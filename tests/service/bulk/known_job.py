"""A job with the known embedder, to be killed or measured; prints the process's largest resident memory in bytes.

python -m tests.service.bulk.known_job SOURCE OUT MAX_BYTES PAUSE_S LOG
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from service.bulk.job import Job
from service.bulk.limits import Window
from service.bulk.row import Row
from service.bulk.sources.choice import open_source
from service.bulk.sources.table import Columns
from service.bulk.store import Store
from tests.service.bulk.known_embedder import IDENTITY, KnownEmbedder

ROWS_PER_PART = 40


async def run(source_name: str, out: Path, max_bytes: int, pause_s: float, log: Path) -> None:
    window = Window(calls=64, batch_items=1, batch_bytes=1, max_bytes=max_bytes)
    embedder = KnownEmbedder(window, pause_s=pause_s, log=log)
    columns = Columns("text", "name", holds_texts=True) if source_name.endswith(".csv") else None
    source = open_source(source_name, columns)
    store = Store(out, source, await embedder.start(), restart=False, rows_per_part=ROWS_PER_PART)

    def keep(row: Row) -> None:
        store.add(row)

    await Job(embedder, IDENTITY, keep).run(store.missing(source))
    store.finish()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5])))
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    sys.stdout.write(f"{int(peak.split()[1]) * 1024}\n")
