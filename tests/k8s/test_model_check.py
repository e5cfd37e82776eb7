"""The scripts that seal a model repository and refuse any other: run as pods run them, by sh."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.k8s.manifests import K8S, pod
from tests.repository import REPOSITORY

SCRIPTS = K8S / "components" / "scripts"
Change = Callable[[Path], object]


def run(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(SCRIPTS / script), str(folder)]
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def seal(folder: Path) -> dict[str, str]:
    """The lines of `model.env` that the script prints."""
    result = run("seal-model.sh", folder)
    assert result.returncode == 0, result.stderr
    return dict(line.split("=", 1) for line in result.stdout.splitlines())


def check(folder: Path, digest: str, files: str = "all") -> subprocess.CompletedProcess[str]:
    return run("check-model.sh", folder, MODEL_DIGEST=digest, MODEL_CHECK=files)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return Path(shutil.copytree(REPOSITORY / "text", tmp_path / "r1" / "text")).parent


@pytest.mark.parametrize("files", ["all", "small"])
def test_a_sealed_release_passes(release: Path, files: str) -> None:
    values = seal(release)
    assert values["MODEL_RELEASE"] == "r1"
    result = check(release, values["MODEL_DIGEST"], files)
    assert result.returncode == 0, result.stderr


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


CHANGES: dict[str, Change] = {
    "weights": lambda folder: flip(folder / "text" / "1" / "model.onnx"),
    "tokenizer": lambda folder: flip(folder / "text" / "tokenizer.json"),
    "missing": lambda folder: (folder / "text" / "card.json").unlink(),
    "another model": lambda folder: shutil.copytree(folder / "text", folder / "image"),
    "a link": lambda folder: (folder / "text" / "2").symlink_to(folder / "text" / "1"),
    "the list": lambda folder: flip(folder / "SHA256SUMS"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_release_is_refused(release: Path, change: Change) -> None:
    digest = seal(release)["MODEL_DIGEST"]
    change(release)
    assert check(release, digest).returncode != 0


def test_weights_alone_may_be_left_unread(release: Path) -> None:
    digest = seal(release)["MODEL_DIGEST"]
    flip(release / "text" / "1" / "model.onnx")
    assert check(release, digest, "small").returncode == 0
    flip(release / "text" / "card.json")
    assert check(release, digest, "small").returncode != 0


def test_a_release_that_somebody_sealed_anew_has_another_digest(release: Path) -> None:
    digest = seal(release)["MODEL_DIGEST"]
    flip(release / "text" / "1" / "model.onnx")
    (release / "SHA256SUMS").unlink()
    seal(release)
    assert check(release, digest).returncode != 0


@pytest.mark.parametrize("digest", ["unset", "", "0" * 63, "0" * 65, "x" * 64])
def test_a_release_without_a_pinned_digest_is_refused_by_the_name_of_the_setting(release: Path, digest: str) -> None:
    seal(release)
    result = check(release, digest)
    assert result.returncode == 2
    assert result.stderr.startswith(f"MODEL_DIGEST: '{digest}'")


@pytest.mark.parametrize("broken", [True, False], ids=["a link to nothing", "no files"])
def test_a_folder_that_can_not_be_read_whole_is_not_sealed(tmp_path: Path, broken: bool) -> None:
    """A link to nothing is a file that even the superuser, who runs tests in some places, can't read."""
    folder = tmp_path / "r1"
    (folder / "text").mkdir(parents=True)
    if broken:
        (folder / "text" / "card.json").write_text("{}")
        (folder / "text" / "model.onnx").symlink_to("nowhere")
    result = run("seal-model.sh", folder)
    assert result.returncode == 1
    assert ("model.onnx" if broken else "holds no files") in result.stderr
    assert "MODEL_DIGEST" not in result.stdout
    assert not list(folder.glob("*SHA256SUMS*")), "nothing is left behind"


def test_a_sealed_release_is_not_sealed_again(release: Path) -> None:
    seal(release)
    result = run("seal-model.sh", release)
    assert result.returncode == 1
    assert "never changes" in result.stderr


@pytest.mark.parametrize("overlay", ["cpu-embedded", "dev"])
def test_the_pinned_digest_is_that_of_the_committed_model(overlay: str, tmp_path: Path) -> None:
    one = pod(f"overlays/{overlay}", "onepeace-gateway")
    pinned = one.config(one.container("check-model"))
    folder = shutil.copytree(REPOSITORY, tmp_path / pinned["MODEL_RELEASE"])
    assert seal(Path(folder))["MODEL_DIGEST"] == pinned["MODEL_DIGEST"], "run `make manifests`"
    assert check(Path(folder), pinned["MODEL_DIGEST"], pinned["MODEL_CHECK"]).returncode == 0


def test_a_pod_copies_the_model_out_of_its_image_and_seals_it_as_often_as_it_starts(tmp_path: Path) -> None:
    """The command of the first init container, with its two folders elsewhere."""
    one = pod("overlays/cpu-embedded", "onepeace-gateway")
    container = one.container("copy-model")
    (tmp_path / "volume").mkdir()
    places = {"/models": REPOSITORY, "/volume": tmp_path / "volume", "/scripts": SCRIPTS}
    words = container["command"]
    for place, folder in places.items():
        words = [word.replace(f"{place} ", f"{folder} ").replace(f"{place}/", f"{folder}/") for word in words]
    environment = {"PATH": os.environ["PATH"], **one.config(container)}
    pinned = one.config(one.container("check-model"))
    for _ in range(2):
        subprocess.run(words, env=environment, check=True, capture_output=True)
        assert check(tmp_path / "volume" / "small", pinned["MODEL_DIGEST"]).returncode == 0
