"""What it costs to decode in processes: `python -m bench.decoding`.

First the decoders alone, threads beside processes in one process, then the whole service with either. Both take turns,
so that a busy neighbour disturbs both alike; ratios are medians of the rounds' own ratios. Processor time is that of
all processes, so it tells what a machine that is full can do, and depends less on neighbours than the rates do.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import soundfile
import uvloop
from PIL import Image

from bench.load import run_load
from bench.media import make_jpeg, make_sound
from bench.processes import server
from bench.samples import Sample
from service.decoding.choice import build_decoders
from service.decoding.decoders import Decoders, ThreadDecoders
from service.decoding.orders import AudioOrder, ClipOrder, ImageOrder, Order
from service.media.audio import AudioSpec
from service.media.audio_windows import Windows
from service.metrics import Metrics
from service.settings import Settings

SIZE = 256
CALLERS = (1, 16)
MODES = ("thread", "process")
Figures = dict[str, float]


def make_orders() -> dict[str, Order[Any]]:
    """Files of the examples, and larger ones made from a seed."""
    examples = Path(__file__).parents[1] / "examples"
    large = make_jpeg(4000, 3000)
    pictures = {
        "JPEG 160 x 160": (examples / "cow.jpg").read_bytes(),
        "JPEG 640 x 480": make_jpeg(640, 480),
        "JPEG 4000 x 3000": large,
        "PNG 160 x 160": as_png((examples / "cow.jpg").read_bytes()),
        "PNG 1920 x 1080": as_png(make_jpeg(1920, 1080)),
    }
    sounds = {
        "FLAC 1.7 s": (examples / "moo.flac").read_bytes(),
        "FLAC 10 s stereo 44.1 kHz": make_sound("FLAC", "PCM_16"),
        "MP3 10 s stereo 44.1 kHz": make_sound("MP3", "MPEG_LAYER_III"),
    }
    orders: dict[str, Order[Any]] = {name: ImageOrder(data, SIZE, 50_000_000) for name, data in pictures.items()}
    orders |= {name: AudioOrder(data, AudioSpec(), 600.0) for name, data in sounds.items()}
    long = repeated(sounds["FLAC 1.7 s"], 600.0)
    orders["FLAC 600 s, all windows"] = ClipOrder(long, AudioSpec(), Windows(15.0, 15.0), 600.0, max_windows=256)
    return orders


def as_png(data: bytes) -> bytes:
    """The same picture."""
    file = io.BytesIO()
    Image.open(io.BytesIO(data)).save(file, "PNG", compress_level=3)
    return file.getvalue()


def repeated(data: bytes, seconds: float) -> bytes:
    """A sound over and over, as FLAC."""
    samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate_hz, samples.shape[1], "PCM_16", format="FLAC") as sound:
        for _ in range(int(seconds * rate_hz / len(samples))):
            sound.write(samples)
    return file.getvalue()


async def ask(decoders: Decoders, order: Order[Any], callers: int, seconds: float) -> Figures:
    """Files a second, and milliseconds of each, with so many callers at once."""
    times: list[float] = []
    started, used_s = time.perf_counter(), processor_s(os.getpid())
    end = started + seconds

    async def caller() -> None:
        while (began := time.perf_counter()) < end:
            await decoders.submit(order)
            times.append(time.perf_counter() - began)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return figures(times, time.perf_counter() - started, processor_s(os.getpid()) - used_s)


def children(pid: int) -> list[int]:
    """Processes that a process's first thread started, oldest first."""
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def processor_s(pid: int) -> float:
    """Processor time that a process and its descendants have used, seconds. Ended ones count once they are reaped."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + sum(map(processor_s, children(pid)))


def figures(times: Sequence[float], elapsed_s: float, used_s: float) -> Figures:
    """Rate, median, 99th percentile and processor time of one file."""
    ordered = sorted(times)
    last = len(ordered) - 1
    return {
        "rate": len(ordered) / elapsed_s,
        "p50": ordered[len(ordered) // 2] * 1e3,
        "p99": ordered[min(last, int(len(ordered) * 0.99))] * 1e3,
        "processor": used_s / len(ordered) * 1e3,
    }


def report(name: str, callers: int, rounds: Sequence[dict[str, Figures]]) -> None:
    """One line."""

    def median(pick: Callable[[dict[str, Figures]], float]) -> float:
        return statistics.median(pick(one) for one in rounds)

    cells = [
        f"{median(lambda one, mode=mode, key=key: one[mode][key]):8.2f}"
        for key in ("p50", "p99", "processor")
        for mode in MODES
    ]
    rates = [f"{median(lambda one, mode=mode: one[mode]['rate']):8.1f}" for mode in MODES]
    ratio = median(lambda one: one["process"]["rate"] / one["thread"]["rate"])
    used = median(lambda one: one["thread"]["processor"] / max(1e-9, one["process"]["processor"]))
    added = median(lambda one: one["process"]["p50"] - one["thread"]["p50"])
    print(
        f"{name:26} {callers:3} {' '.join(cells)} {' '.join(rates)} {ratio:6.2f} {used:6.2f} {added:+8.2f}", flush=True
    )


def print_head(title: str) -> None:
    """The columns."""
    groups = "".join(f"{group:>18}" for group in ("p50, ms", "p99, ms", "processor, ms", "files a second"))
    print(f"\n{title}\n{'':30}{groups} {'ratio of':>13}")
    print(f"{'file':26} {'at':>3} {'  thread  process ' * 4} {'rates':>5} {'proc.':>6} {'added ms':>8}")


async def measure_decoders(options: argparse.Namespace) -> None:
    """Threads beside processes, nothing else."""
    print_head("decoders alone")
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        processes = build_decoders(Settings(decode_isolation="process"), threads, Metrics())
        await processes.start()
        both: dict[str, Decoders] = {"thread": ThreadDecoders(threads), "process": processes}
        for name, order in make_orders().items():
            for decoders in both.values():
                await decoders.submit(order)
            for callers in CALLERS:
                rounds = [
                    {mode: await ask(both[mode], order, callers, options.seconds) for mode in MODES}
                    for _ in range(options.rounds)
                ]
                report(name, callers, rounds)
        await processes.close()


def measure_service(options: argparse.Namespace) -> None:
    """Two real servers on one core, the load on another; one is asked at a time."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("the service needs two cores: one for the servers, one for the load")
    print_head("the service")
    os.sched_setaffinity(0, {cores[1]})
    with (
        server(options.repository, cores[0], "--decode-isolation", "thread") as threads,
        server(options.repository, cores[0], "--decode-isolation", "process") as processes,
    ):
        pids = dict(zip(MODES, children(os.getpid())[-2:], strict=True))
        ports = dict(zip(MODES, (threads, processes), strict=True))
        for name, order in make_orders().items():
            if isinstance(order, ClipOrder):
                continue
            sample = Sample("image" if isinstance(order, ImageOrder) else "audio", name, bytes(order.payload))
            for callers in CALLERS:
                rounds = [
                    {mode: served(ports[mode], pids[mode], sample, callers, options.seconds) for mode in MODES}
                    for _ in range(options.rounds)
                ]
                report(name, callers, rounds)


def served(port: int, pid: int, sample: Sample, callers: int, seconds: float) -> Figures:
    """The same as `ask`, over HTTP."""
    used_s = processor_s(pid)
    load = run_load([port], [sample.http_request(f"127.0.0.1:{port}")], callers, seconds)
    if load.failures:
        sys.exit(f"{load.failures} requests were not answered with 200")
    return figures(load.latencies, load.elapsed_s, processor_s(pid) - used_s)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, default=Path("model_repository"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each measurement")
    options = parser.parse_args()
    uvloop.run(measure_decoders(options))
    measure_service(options)


if __name__ == "__main__":
    main()
