"""Model files swapped, cut or damaged on disk: a running service keeps what it loaded, a start refuses them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import numpy as np
import onnx_ir as ir

from service.fingerprint import WEIGHTS_FILE, check_fingerprint
from service.repository import read_model
from tests.load.experiment import Experiment, Figure, Scale
from tests.load.poison_model import seal
from tests.load.server import server_apart
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer
from tests.service.media_files import encoded, picture

REFUSED = 1
START_S = 60.0
HASHED_BYTES: dict[Scale, int] = {"full": 3 * 1024**3, "small": 8 * 1024**2}
PICTURES = [{"image": encoded(picture(seed))} for seed in range(4)]
Damage = Callable[[Path], None]


def graph(repository: Path) -> Path:
    """The file that the experiments harm."""
    return repository / "image" / "1" / "model.onnx"


def cut(path: Path) -> None:
    """Half of the file is gone."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """One bit of a weight is another."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def swap(path: Path) -> None:
    """Another sound graph of the same tensors in its place, by renaming, as `onepeace export` publishes."""
    model = ir.load(path)
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if tensor is not None and tensor.dtype == ir.DataType.FLOAT and tensor.size > 1000:
            value.const_value = ir.tensor(tensor.numpy() * np.float32(0.5), name=value.name)
    other = path.with_name("other.onnx")
    ir.save(model, other)
    other.replace(path)


def copy_repository(folder: Path, *, weights_apart: bool = False) -> Path:
    """The committed `image`; `weights_apart` as a model of more than 2 GB has them, which the runtime maps."""
    repository = folder / f"repository-{len(list(folder.iterdir()))}"
    shutil.copytree(REPOSITORY / "image", repository / "image")
    if weights_apart:
        ir.save(ir.load(graph(repository)), graph(repository), external_data=WEIGHTS_FILE)
        seal(repository / "image")
    return repository


def vectors(server: LiveServer) -> np.ndarray:
    """Of the pictures."""
    answer = httpx.post(server.url + "/embed", json={"inputs": PICTURES}, timeout=60).raise_for_status()
    return np.array([datum["embedding"] for datum in answer.json()["data"]])


def difference_after(repository: Path, harm: Callable[[], None]) -> float:
    """How far vectors of a running service are from those before the harm."""
    with server_apart(repository) as server:
        before = vectors(server)
        harm()
        return float(np.abs(vectors(server) - before).max())


def start(repository: Path, *flags: str) -> tuple[int | None, str, float]:
    """Exit code, log and seconds of a start; None when it got ready instead."""
    command = [sys.executable, "-m", "service.cli", "serve", "--model-repository", str(repository), "--port", "0"]
    started = time.monotonic()
    process = subprocess.Popen([*command, "--grpc-port", "0", *flags], stderr=subprocess.PIPE, text=True)
    lines = []
    try:
        for line in process.stderr or ():
            lines.append(line)
            if line.startswith("Ready on"):
                return None, "".join(lines), time.monotonic() - started
        return process.wait(START_S), "".join(lines), time.monotonic() - started
    finally:
        process.kill()
        process.wait()


def refusals(folder: Path, damages: dict[str, Damage]) -> list[Figure]:
    """What a start says of each kind of harm."""
    figures = []
    for title, damage in damages.items():
        repository = copy_repository(folder)
        damage(graph(repository))
        code, log, seconds = start(repository)
        named = code == REFUSED and str(repository / "image") in log and "Traceback" not in log
        figures += [
            Figure(f"start with a graph {title}: refused, with the model's name", int(named), at_least=1),
            Figure("… after", seconds, "s"),
        ]
    return figures


def run(scale: Scale) -> Sequence[Figure]:
    """Running services, then starts, then what looking costs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        apart = copy_repository(folder, weights_apart=True)
        mapped = difference_after(apart, lambda: replace_by_rename(graph(apart).with_name(WEIGHTS_FILE)))
        return [
            Figure("running, mapped weights swapped by renaming: difference of vectors", mapped, at_most=0),
            *(refusals(folder, {"with a bit flipped": flip}) if scale == "small" else more(folder)),
            hashing_cost(folder, HASHED_BYTES[scale]),
        ]


def more(folder: Path) -> list[Figure]:
    """What takes many starts."""
    one, flipped = copy_repository(folder), copy_repository(folder)
    running = difference_after(one, lambda: swap(graph(one)))
    flip(graph(flipped))
    lenient, _, _ = start(flipped, "--verify-model", "false")
    return [
        Figure("running, graph swapped: difference of vectors", running, at_most=0),
        *refusals(folder, {"cut in half": cut, "with a bit flipped": flip, "swapped for another": swap}),
        Figure("with `verify_model` off, a flipped bit starts", int(lenient is None), at_least=1, control=True),
    ]


def replace_by_rename(path: Path) -> None:
    """Other bytes under the same name; who has the file open keeps the old ones."""
    other = path.with_name("other")
    other.write_bytes(os.urandom(path.stat().st_size))
    other.replace(path)


def hashing_cost(folder: Path, size: int) -> Figure:
    """CPU seconds that a start spends on a model of `size` bytes."""
    repository = copy_repository(folder, weights_apart=True)
    weights = graph(repository).with_name(WEIGHTS_FILE)
    os.truncate(weights, size)
    seal(repository / "image")
    model = read_model(repository / "image")
    started = time.process_time()
    check_fingerprint(model.path, model.card)
    return Figure(f"CPU to verify {size / 1024**3:.2g} GiB at the start", time.process_time() - started, "s")


EXPERIMENT = Experiment("model_files", "Model files swapped or damaged", run)
