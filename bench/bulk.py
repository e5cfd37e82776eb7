"""Files a second of a bulk job, beside the same engine asked for one file at a time: `python -m bench.bulk`.

Both read the same files and write the same table; rounds alternate, and the ratio is of one round's own figures.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.samples import make_samples
from service.bulk.embedder import Identity
from service.bulk.job import Job
from service.bulk.limits import Window
from service.bulk.local import LocalEmbedder
from service.bulk.row import Row
from service.bulk.sources.choice import open_source
from service.bulk.store import Store
from service.settings import Settings

SUFFIXES = {"text": ".txt", "image": ".jpg", "audio": ".flac"}
ROWS_PER_PART = 4096


class OneAtATime(LocalEmbedder):
    """The same engine; the next file is read when the last one is answered."""

    def window(self) -> Window:
        """One call."""
        return Window(1, 1, 1, super().window().max_bytes)


async def run_job(source: Path, out: Path, embedder: LocalEmbedder, identity: Identity) -> float:
    """Seconds for all files of a folder, from listing to the last rename."""
    started = time.perf_counter()
    files = open_source(str(source), None)
    store = Store(out, files, identity, restart=False, rows_per_part=ROWS_PER_PART)
    keep: Callable[[Row], None] = store.add
    await Job(embedder, identity, keep).run(store.missing(files))
    store.finish()
    return time.perf_counter() - started


async def measure(folder: Path, options: argparse.Namespace) -> None:
    """Print one line for each kind of file, and one for all of them mixed."""
    settings = Settings(model_repository=options.repository)
    makers = {"one": OneAtATime(settings), "bulk": LocalEmbedder(settings)}
    identities = {name: await embedder.start() for name, embedder in makers.items()}
    print(f"{'files':>28} {'one by one':>12} {'bulk':>12} {'ratio':>7}")
    for kind in (*SUFFIXES, "mixed"):
        source, figures = write_files(folder, kind, options.files), []
        for number in range(options.rounds + 1):  # the first one warms up
            seconds = {
                name: await run_job(source, folder / f"out-{kind}-{name}-{number}", embedder, identities[name])
                for name, embedder in makers.items()
            }
            figures.append(seconds)
        rates = {name: options.files / statistics.median(round_[name] for round_ in figures[1:]) for name in makers}
        ratio = statistics.median(round_["one"] / round_["bulk"] for round_ in figures[1:])
        print(
            f"{options.files:>20} {kind:>7} {rates['one']:>10.0f}/s {rates['bulk']:>10.0f}/s {ratio:>7.2f}", flush=True
        )
    for embedder in makers.values():
        await embedder.close()


def write_files(folder: Path, kind: str, count: int) -> Path:
    """A folder of `count` copies of the sample of one kind, or of all in turn."""
    samples = [sample for sample in make_samples() if kind in (sample.model, "mixed")]
    target = folder / kind
    target.mkdir()
    for number in range(count):
        sample = samples[number % len(samples)]
        (target / f"{number:06d}{SUFFIXES[sample.model]}").write_bytes(sample.data)
    return target


def main() -> None:
    """Make the files, run the rounds, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, default=Path("model_repository"))
    parser.add_argument("--files", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), options))


if __name__ == "__main__":
    main()
