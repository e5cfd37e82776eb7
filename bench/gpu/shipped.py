"""`python -m bench.gpu.shipped`: a model repository in the embedded engine, on CUDA against the CPU.

For every model and batch size: milliseconds of a call on either (median), their ratio, the largest difference, and
the lowest cosine. Rows have unequal lengths, and each row of the largest batch is also run alone, because a row's
output must not depend on the others. Then the service: requests a second at 64 connections on either device.

    python -m bench.gpu.shipped model_repository
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.load import run_load
from bench.processes import server
from bench.samples import make_samples
from service.engine.onnx import Device, OnnxEngine
from service.engine.protocol import Array, Batch, RowInputs
from service.engine.warmup import warmup_row
from service.repository import ModelFolder, read_repository

BATCHES = (1, 8, 32)
CALLS = 10
CONNECTIONS = 64
MAX_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class Figures:
    """One line of the table; `difference` is of CUDA against the CPU, `alone` of a row alone against in its batch."""

    model: str
    rows: int
    cpu_ms: float
    cuda_ms: float
    difference: float
    cosine: float
    alone: float

    def line(self) -> str:
        """The line as text."""
        return (
            f"{self.model:<13}{self.rows:4} {self.cpu_ms:9.2f} {self.cuda_ms:9.2f} {self.cpu_ms / self.cuda_ms:7.2f} "
            f"{self.difference:11.1e} {self.cosine:9.6f} {self.alone:10.1e}"
        )


HEADER = f"{'':<13}rows    CPU ms   CUDA ms  CPU÷CUDA  difference    cosine      alone"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where CUDA and the CPU differ by more than the mark."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu.shipped", description=__doc__.partition("\n")[0])
    parser.add_argument("repository", type=Path)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: to try the script")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement of the service")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures, too")
    options = parser.parse_args(arguments)
    print(HEADER, flush=True)
    table = asyncio.run(_compare(options.repository, options.device))
    rates = {device: _service_rates(options, device) for device in ("cpu", options.device)}
    print(f"\nrequests a second at {CONNECTIONS} connections\n{'':<26}{'CPU':>8}{'CUDA':>8}")
    for title in rates["cpu"]:
        print(f"{title:<26}{rates['cpu'][title]:8.0f}{rates[options.device][title]:8.0f}")
    if options.json:
        options.json.write_text(json.dumps({"figures": [asdict(row) for row in table], "service": rates}))
    return 0 if all(max(row.difference, row.alone) <= MAX_DIFFERENCE for row in table) else 1


async def _compare(repository: Path, device: Device) -> list[Figures]:
    models = read_repository(repository)
    cpu, cuda = (OnnxEngine(models, threads=len(os.sched_getaffinity(0)), device=kind) for kind in ("cpu", device))
    table = []
    for engine in (cpu, cuda):
        await engine.start()
    for name, model in models.items():
        for rows in sorted({min(rows, model.max_batch_size) for rows in BATCHES}):
            batch = Batch(_rows(model, rows))
            expected, found = await cpu.infer(name, batch), await cuda.infer(name, batch)
            single = np.concatenate([await cuda.infer(name, Batch([row])) for row in batch.rows])
            times = [await _milliseconds(engine, name, batch) for engine in (cpu, cuda)]
            apart = _largest(expected, found), _cosine(expected, found), _largest(found, single)
            table.append(Figures(name, rows, *times, *apart))
            print(table[-1].line(), flush=True)
    for engine in (cpu, cuda):
        await engine.close()
    return table


def _rows(model: ModelFolder, count: int) -> list[RowInputs]:
    """Random rows, the lengths between half and all of the longest bucket's."""
    rng = np.random.default_rng(count)
    longest = model.length_buckets[-1] if model.length_buckets else 8
    return [_random(warmup_row(model, int(length)), rng) for length in rng.integers(longest // 2, longest + 1, count)]


def _random(row: RowInputs, rng: np.random.Generator) -> RowInputs:
    draw: dict[str, Callable[[tuple[int, ...]], Array]] = {
        "tokens": lambda shape: rng.integers(4, 500, shape),
        "waveform": lambda shape: rng.standard_normal(shape, dtype=np.float32),
        "pixels": lambda shape: rng.integers(0, 256, shape, dtype=np.uint8),
    }
    return {name: draw[name](values.shape) if name in draw else values for name, values in row.items()}


async def _milliseconds(engine: OnnxEngine, name: str, batch: Batch) -> float:
    times = []
    for _ in range(CALLS):
        started = time.perf_counter()
        await engine.infer(name, batch)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


def _largest(left: Array, right: Array) -> float:
    return float(np.abs(left - right).max())


def _cosine(left: Array, right: Array) -> float:
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return float((np.einsum("ij,ij->i", left, right) / lengths).min())


def _service_rates(options: argparse.Namespace, device: str) -> dict[str, float]:
    cores = sorted(os.sched_getaffinity(0))
    half = max(1, len(cores) // 2)
    rates = {}
    with server(options.repository, set(cores[:half]), "--engine-device", device) as port:
        os.sched_setaffinity(0, set(cores[half:] or cores))
        for sample in make_samples():
            request = sample.http_request(f"127.0.0.1:{port}")
            run_load([port], [request], CONNECTIONS, options.seconds / 2)
            load = run_load([port], [request], CONNECTIONS, options.seconds)
            if load.failures:
                sys.exit(f"{load.failures} requests were not answered with 200")
            rates[sample.title] = len(load.latencies) / load.elapsed_s
    os.sched_setaffinity(0, set(cores))
    return rates


if __name__ == "__main__":
    sys.exit(main())
