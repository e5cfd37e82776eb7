"""The jobs: their commands are ours, and do what they say with stand-ins for the network and for the GPU."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from export.cli import add_export_arguments
from service.repository import read_repository
from tests.k8s.manifests import JOBS, K8S, pod
from tests.k8s.test_model_check import check, run
from tests.repository import REPOSITORY

FILES = K8S / "jobs" / "engines" / "base"
FETCH = K8S / "jobs" / "export" / "fetch_checkpoints.py"
CONTENT = b"a checkpoint" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class QuietHandler(SimpleHTTPRequestHandler):
    """A server of files that knows no ranges, as some don't."""

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 (the library's name)
        pass


@contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "one.pt").write_bytes(CONTENT)
    with serving(partial(QuietHandler, directory=folder)) as address:
        yield address


class RangeHandler(QuietHandler):
    """One that knows ranges, and tells of each that it was asked for; `/short/…` ends before the whole has come."""

    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:  # (the library's name)
        self.asked.append(self.headers["Range"])
        start = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if start >= len(CONTENT):
            self.send_error(416)
            return
        rest = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[:100] if self.path.startswith("/short/") else rest)


class BrokenHandler(QuietHandler):
    """One whose answers are no HTTP, end within a chunk, or have a length that is no number."""

    ANSWERS: ClassVar[dict[str, bytes]] = {
        "/status": b"HTTP/1.1 OK\r\n\r\n",
        "/chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf",
        "/length": b"HTTP/1.1 200 OK\r\nContent-Length: long\r\n\r\n",
        "/nothing": b"",
    }

    def do_GET(self) -> None:  # (the library's name)
        self.wfile.write(self.ANSWERS[self.path])


@pytest.fixture
def ranges() -> Iterator[str]:
    RangeHandler.asked.clear()
    with serving(RangeHandler) as address:
        yield address


def fetch(tmp_path: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "list").write_text("# a comment\n" + "\n".join(lines))
    command = [sys.executable, str(FETCH), str(tmp_path / "list"), str(tmp_path / "checkpoints")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_checkpoint_of_the_pinned_digest_is_fetched_once(site: str, tmp_path: Path) -> None:
    line = f"{DIGEST} deep/one.pt {site}/one.pt"
    assert fetch(tmp_path, line).returncode == 0
    assert (tmp_path / "checkpoints" / "deep" / "one.pt").read_bytes() == CONTENT
    assert fetch(tmp_path, line.replace(site, "http://127.0.0.1:9")).returncode == 0, "it is there already"


def test_a_part_that_an_earlier_try_left_does_no_harm(site: str, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "one.pt.part").write_bytes(CONTENT[:100])
    assert fetch(tmp_path, f"{DIGEST} one.pt {site}/one.pt").returncode == 0


@pytest.mark.parametrize(
    ("left", "asked"),
    [
        pytest.param(CONTENT[:100], ["bytes=100-"], id="some of it"),
        pytest.param(CONTENT, [], id="all of it"),
        pytest.param(b"x" * len(CONTENT), [f"bytes={len(CONTENT)}-", None], id="another file of that length"),
    ],
)
def test_a_part_is_gone_on_with_as_far_as_it_is_good(
    ranges: str, tmp_path: Path, left: bytes, asked: list[str | None]
) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "one.pt.part").write_bytes(left)
    result = fetch(tmp_path, f"{DIGEST} one.pt {ranges}/one.pt")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "checkpoints" / "one.pt").read_bytes() == CONTENT
    assert RangeHandler.asked == asked


def test_a_connection_that_ends_early_leaves_a_part_for_the_next_try(ranges: str, tmp_path: Path) -> None:
    for digest in (DIGEST, "unknown"):
        result = fetch(tmp_path, f"{digest} one.pt {ranges}/short/one.pt")
        assert result.returncode == 1
        assert "did not come" in result.stderr
        assert not (tmp_path / "checkpoints" / "one.pt").exists(), "it is not taken for the whole"
    assert (tmp_path / "checkpoints" / "one.pt.part").read_bytes() == CONTENT[:200]
    assert fetch(tmp_path, f"{DIGEST} one.pt {ranges}/one.pt").returncode == 0
    assert RangeHandler.asked == [None, "bytes=100-", "bytes=200-"]


def test_another_checkpoint_is_refused_and_removed(site: str, tmp_path: Path) -> None:
    result = fetch(tmp_path, f"{'0' * 64} one.pt {site}/one.pt")
    assert result.returncode == 1
    assert DIGEST in result.stderr
    assert not (tmp_path / "checkpoints" / "one.pt").exists()


def test_an_unknown_digest_is_told_and_refused(site: str, tmp_path: Path) -> None:
    result = fetch(tmp_path, f"unknown one.pt {site}/one.pt")
    assert result.returncode == 1
    assert DIGEST in result.stderr


def test_a_file_that_is_not_there_fails_and_leaves_the_others(site: str, tmp_path: Path) -> None:
    result = fetch(tmp_path, f"{DIGEST} two.pt {site}/two.pt", f"{DIGEST} one.pt {site}/one.pt")
    assert result.returncode == 1
    assert "two.pt" in result.stderr
    assert (tmp_path / "checkpoints" / "one.pt").is_file()


def test_a_digest_in_capitals_is_the_same_digest(site: str, tmp_path: Path) -> None:
    for _ in range(2):
        result = fetch(tmp_path, f"{DIGEST.upper()} one.pt {site}/one.pt")
        assert result.returncode == 0, result.stderr
        assert (tmp_path / "checkpoints" / "one.pt").is_file()


@pytest.mark.parametrize("path", BrokenHandler.ANSWERS)
def test_an_answer_that_breaks_off_is_told_and_the_others_are_fetched(site: str, tmp_path: Path, path: str) -> None:
    with serving(BrokenHandler) as broken:
        result = fetch(tmp_path, f"{DIGEST} two.pt {broken}{path}", f"{DIGEST} one.pt {site}/one.pt")
    assert result.returncode == 1
    assert result.stderr.startswith("two.pt: ")
    assert len(result.stderr.splitlines()) == 1, "no traceback"
    assert (tmp_path / "checkpoints" / "one.pt").is_file()
    assert not (tmp_path / "checkpoints" / "two.pt").exists()


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:port/", "http://ä/", "http://"])
def test_a_url_that_can_not_be_asked_is_told_and_the_others_are_fetched(site: str, tmp_path: Path, url: str) -> None:
    result = fetch(tmp_path, f"{DIGEST} two.pt {url}", f"{DIGEST} one.pt {site}/one.pt")
    assert result.returncode == 1
    assert result.stderr.startswith("two.pt: ")
    assert len(result.stderr.splitlines()) == 1, "no traceback"
    assert (tmp_path / "checkpoints" / "one.pt").is_file()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(f"{DIGEST} two.pt", id="no URL"),
        pytest.param(f"{DIGEST} two.pt http://127.0.0.1:9/two.pt # two", id="a word too many"),
        pytest.param(f"{DIGEST[:-1]} two.pt http://127.0.0.1:9/two.pt", id="a short digest"),
        pytest.param(f"{DIGEST} two.pt 127.0.0.1:9/two.pt", id="no scheme"),
    ],
)
def test_a_malformed_list_is_refused_with_the_number_of_its_line(site: str, tmp_path: Path, line: str) -> None:
    result = fetch(tmp_path, f"{DIGEST} one.pt {site}/one.pt", line)
    assert result.returncode == 1
    assert ": line 3: " in result.stderr, "after the comment and the first file"
    assert len(result.stderr.splitlines()) == 1, "no traceback"


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    result = fetch(tmp_path)
    assert result.returncode == 1
    assert "names no file" in result.stderr


def test_the_export_takes_what_was_fetched() -> None:
    one = pod("jobs/export", "onepeace-export")
    command, *words = one.container("export")["args"]
    assert command == "export"
    parser = ArgumentParser()
    add_export_arguments(parser)
    arguments = parser.parse_args(words)
    listed = (K8S / "jobs" / "export" / "checkpoints.txt").read_text().splitlines()
    fetched = {Path("/checkpoints") / line.split()[1] for line in listed if not line.startswith("#")}
    vocabulary = {arguments.bpe_dir / name for name in ("encoder.json", "vocab.bpe", "dict.txt")}
    asked = {arguments.checkpoint, arguments.grounding, arguments.audio_labels, arguments.labels}
    assert asked | vocabulary == fetched


def test_a_sealed_release_is_not_exported_over(tmp_path: Path) -> None:
    one = pod("jobs/export", "onepeace-export")
    words = [word.replace("/models/", f"{tmp_path}/") for word in one.container("export")["command"]]
    (tmp_path / "r1").mkdir()
    (tmp_path / "r1" / "SHA256SUMS").touch()
    (tmp_path / "onepeace").write_text("#!/bin/sh\necho exported $*\n")
    (tmp_path / "onepeace").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    for release, code in (("r1", 1), ("r2", 0)):
        environment = {"PATH": path, "MODEL_RELEASE": release}
        result = subprocess.run(
            [*words, "export", "--out=x"], env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == code
        assert result.stdout == ("" if code else "exported export --out=x\n")
        assert ("r1 is sealed already" in result.stderr) == bool(code)


@pytest.mark.parametrize("job", [job for job in JOBS if job.startswith("engines/")])
def test_plans_are_built_on_nodes_of_the_architecture_that_the_folder_names(job: str) -> None:
    one = pod(f"jobs/{job}", f"onepeace-engines-{job.rpartition('/')[2]}")
    chosen = one.spec["nodeSelector"]
    number = "".join(chosen[f"nvidia.com/gpu.compute.{part}"] for part in ("major", "minor"))
    assert job == f"engines/sm{number}"
    assert len(one.objects) == len({(part["kind"], part["metadata"]["name"]) for part in one.objects})


def stand_in(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("answer", "code"),
    [("echo No devices were found; exit 6", 1), ("echo '[N/A]'", 1), ("exit 0", 1), ("echo 10.0; echo 10.0", 0)],
)
def test_a_gpu_that_tells_no_compute_capability_fails(tmp_path: Path, answer: str, code: int) -> None:
    stand_in(tmp_path / "programs", "nvidia-smi", answer)
    environment = {"PATH": f"{tmp_path / 'programs'}:{os.environ['PATH']}", "TRT_VERSION": "10.16.1.11+cuda13"}
    command = ["sh", str(FILES / "ask-gpu.sh"), str(tmp_path / "key")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == code
    assert (tmp_path / "key").exists() == (code == 0)
    assert result.stderr.startswith("nvidia-smi ") if code else result.stdout.endswith(" 10.0\n")


def test_an_export_of_graphs_that_fails_is_told_with_its_output(tmp_path: Path) -> None:
    stand_in(tmp_path / "programs", "onepeace", "echo text: cannot be written; exit 3")
    (tmp_path / "key").write_text("--tensorrt-version 10.16.1.11 --compute-capability 9.0\n")
    environment = {
        "PATH": f"{tmp_path / 'programs'}:{os.environ['PATH']}",
        "FROM_RELEASE": "r1",
        "MODEL_RELEASE": "r1-plans",
    }
    command = ["sh", str(FILES / "write-graphs.sh"), str(tmp_path / "models"), str(tmp_path)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stdout == "text: cannot be written\n"


def test_a_model_whose_plan_fails_keeps_onnx_runtime(tmp_path: Path) -> None:
    """The whole job on two models: `trtexec` writes a plan for one, and half a plan for the other before it fails."""
    models, work, programs = tmp_path / "models", tmp_path / "work", tmp_path / "programs"
    for name in ("text", "image"):
        shutil.copytree(REPOSITORY / name, models / "r1" / name)
    work.mkdir()
    stand_in(programs, "nvidia-smi", "echo 9.0; echo 9.0")
    stand_in(programs, "onepeace", f'exec {sys.executable} -m service.cli "$@"')
    stand_in(
        programs,
        "trtexec",
        'for word; do case $word in --saveEngine=*) plan=${word#*=};; esac; done; echo plan > "$plan"\n'
        "case $plan in */text/*) exit 0;; *) exit 1;; esac",
    )
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "TRT_VERSION": "10.16.1.11+cuda13",
        "FROM_RELEASE": "r1",
        "MODEL_RELEASE": "r1-plans",
    }
    for script, *words in (
        ("ask-gpu.sh", work / "key"),
        ("write-graphs.sh", models, work),
        ("build-plans.sh", work),
        ("adopt-plans.sh", models, work),
    ):
        command = ["sh", str(FILES / script), *map(str, words)]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
    written = read_repository(models / "r1-plans")
    (plan,) = (models / "r1-plans" / "text" / "1").glob("*.plan")
    assert plan.name.startswith("sm90-trt10.16.1.11-")
    assert written["text"].config.cc_model_filenames["9.0"] == plan.name
    assert not list((models / "r1-plans" / "image" / "1").glob("*.plan"))
    assert written["image"].config.backend == "onnxruntime"
    sealed = run("seal-model.sh", models / "r1-plans").stdout
    assert check(models / "r1-plans", sealed.rpartition("=")[2].strip()).returncode == 0
    again = ["sh", str(FILES / "write-graphs.sh"), str(models), str(work)]
    assert subprocess.run(again, env=environment, capture_output=True, check=False).returncode == 1, "it is sealed"
