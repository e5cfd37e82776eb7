"""Exports a random image branch of the released model's size and embeds one picture with it.

    python -m bench.full_size_export FOLDER

Needs 7 GB of disk and about 13 GB of memory. Prints seconds, peak memory and file sizes; removes what it wrote.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SIZE = 256
STEPS = ("checkpoint", "export", "run")


def write_checkpoint(folder: Path) -> None:
    """Write random weights, float16, in the released format."""
    from export.one_peace.random_checkpoint import RELEASED, random_config, write_random_checkpoint

    config = random_config(RELEASED, head_type="image", image_size=SIZE, buckets=(256, 16, 512))
    write_random_checkpoint(folder / "random.pt", config)


def export(folder: Path) -> None:
    """Export it as float16."""
    from export.exporter import ExportRequest, export_repository

    request = ExportRequest(folder, folder / "repository", {"checkpoint": folder / "random.pt"}, {}, "fp16", False)
    export_repository(request)


def run_picture(folder: Path) -> None:
    """Embed one random picture in ONNX Runtime on the CPU."""
    import numpy as np

    from service.engine.onnx_runtime import load_onnxruntime

    onnxruntime = load_onnxruntime()

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(
        str(folder / "repository" / "image" / "1" / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    loaded = time.perf_counter()
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, SIZE, SIZE), dtype=np.uint8)
    embedding = session.run(None, {"pixels": pixels})[0]
    ran = time.perf_counter()
    print(f"load {loaded - start:.1f} s, one picture {ran - loaded:.1f} s, norm {np.linalg.norm(embedding):.6f}")


def main(folder: Path) -> None:
    """Run each step in a process of its own, so that its peak memory is its own."""
    folder.mkdir(parents=True)
    try:
        for step in STEPS:
            start = time.perf_counter()
            subprocess.run([sys.executable, "-m", "bench.full_size_export", str(folder), step], check=True)
            print(f"{step}: {time.perf_counter() - start:.0f} s", flush=True)
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.stat().st_size > 1_000_000:
                print(f"{file.relative_to(folder)}: {file.stat().st_size / 1e9:.2f} GB")
    finally:
        shutil.rmtree(folder)


def run_step(folder: Path, step: str) -> None:
    """Run one step and print this process's peak memory."""
    actions: dict[str, Callable[[Path], None]] = dict(zip(STEPS, (write_checkpoint, export, run_picture), strict=True))
    actions[step](folder)
    print(f"{step}: peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        run_step(Path(sys.argv[1]), sys.argv[2])
    else:
        main(Path(sys.argv[1]))
