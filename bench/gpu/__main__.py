"""`python -m bench.gpu`: text, image and audio at the released size with random weights, on a GPU.

Each branch runs in PyTorch (fused attention), compiled, and exported in ONNX Runtime, in fp16 and bf16. Columns:
rows of a batch, milliseconds of a call (median), rows a second, operations a second, their share of what one large
bf16 product reaches on the same device, and the lowest cosine against PyTorch in float32.

    python -m bench.gpu --json figures.json
    python -m bench.gpu --tiny --device cpu          # that it works, nothing more

Needs 7 GB of disk, memory as `bench.full_size_export`, and on the GPU 6 GB for one branch in float32 besides what its
largest batch takes. In bf16 the exported graph stores bfloat16 and computes in float32.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import get_args

import torch

from bench.gpu.branch import Branch, write_branch
from bench.gpu.measurement import flops_of, lowest_cosine, matrix_rate, seconds_of
from bench.gpu.runners import RUNNERS, Unavailable, pytorch
from export.one_peace.config import Modality
from service.repository import Precision

MIN_COSINE = 0.9995


@dataclass(frozen=True)
class Figures:
    """One line of the table. `share` is of the device's rate for one large bf16 product."""

    branch: str
    precision: str
    runner: str
    rows: int
    milliseconds: float
    rows_per_second: float
    tera_operations: float
    share: float
    cosine: float

    def line(self) -> str:
        """The line as text."""
        verdict = "ok" if self.cosine >= MIN_COSINE else "below"
        return (
            f"{self.branch:<6} {self.precision} {self.runner:<9} {self.rows:4} {self.milliseconds:9.2f} "
            f"{self.rows_per_second:10.1f} {self.tera_operations:8.2f} {self.share:6.2f} {self.cosine:10.6f} {verdict}"
        )


HEADER = f"{'':<22} {'rows':>4} {'ms':>9} {'rows/s':>10} {'Top/s':>8} {'share':>6} {'cosine':>10}"


@dataclass(frozen=True)
class Bench:
    """Where and how long to measure; `peak` is the device's rate, operations a second."""

    device: torch.device
    peak: float
    folder: Path
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a cosine is below the mark."""
    options = _options(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("no CUDA device: --tiny --device cpu shows that the script works")
    device = torch.device(options.device)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # float32 is the reference
    peak = matrix_rate(device, torch.bfloat16, options.seconds)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{name}: one large bf16 product runs at {peak / 1e12:.2f} Top/s\n{HEADER}", flush=True)
    table = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, torch.inference_mode():
        bench = Bench(device, peak, Path(folder), options.seconds)
        for branch_name in options.branches:
            branch = write_branch(bench.folder, branch_name, tiny=options.tiny)
            for figures in measure_branch(branch, options.precisions, options.runners, bench):
                print(figures.line(), flush=True)
                table.append(figures)
            branch.checkpoint.path.unlink()
    if options.json:
        options.json.write_text(json.dumps({"device": name, "peak": peak, "figures": [asdict(row) for row in table]}))
    return 0 if all(figures.cosine >= MIN_COSINE for figures in table) else 1


def measure_branch(
    branch: Branch, precisions: Sequence[Precision], runners: Sequence[str], bench: Bench
) -> Iterator[Figures]:
    """Every precision, runner and batch size of one branch; models are freed one after the other."""
    batches = {rows: branch.rows(rows, bench.device) for rows in branch.size.batches}
    reference = pytorch(branch, "fp32", bench.device)
    expected = {rows: reference(*inputs).cpu() for rows, inputs in batches.items()}
    work = {rows: flops_of(reference, inputs) for rows, inputs in batches.items()}
    del reference
    for precision, runner in product(precisions, runners):
        _free(bench.device)
        try:
            run = RUNNERS[runner](branch, precision, bench.device, bench.folder)
        except Unavailable as error:
            print(f"{branch.name:<6} {precision} {runner:<9} {error}", file=sys.stderr)
            continue
        for rows, inputs in batches.items():
            cosine = lowest_cosine(expected[rows], run(inputs))
            seconds = seconds_of(partial(run, inputs), bench.device, bench.seconds)
            rates = (rows / seconds, work[rows] / seconds / 1e12, work[rows] / seconds / bench.peak)
            yield Figures(branch.name, precision, runner, rows, seconds * 1e3, *rates, cosine)
        del run
        shutil.rmtree(bench.folder / f"{branch.name}-{precision}", ignore_errors=True)


def _free(device: torch.device) -> None:
    gc.collect()
    torch.compiler.reset()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="two layers instead of forty: to try the script")
    parser.add_argument("--branches", nargs="+", choices=get_args(Modality), default=list(get_args(Modality)))
    parser.add_argument("--precisions", nargs="+", choices=("fp16", "bf16"), default=["fp16", "bf16"])
    parser.add_argument("--runners", nargs="+", choices=list(RUNNERS), default=list(RUNNERS))
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--folder", type=Path, help="for checkpoints and graphs (default: the system's temporary one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures, too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
