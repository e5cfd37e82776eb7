"""The `onepeace` command as a user types it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from service.access.key_file import read_keys
from service.settings import Settings, load_settings
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer
from tests.service.media_files import clip, encoded, picture


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_embed_gives_what_the_server_gives(tmp_path: Path, server: LiveServer) -> None:
    (tmp_path / "a.png").write_bytes(picture(1))
    (tmp_path / "b.wav").write_bytes(clip(1))
    result = run(
        "embed", "a cow", str(tmp_path / "a.png"), str(tmp_path / "b.wav"), "--model-repository", str(REPOSITORY)
    )
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    items = [{"text": "a cow"}, {"image": encoded(picture(1))}, {"audio": encoded(clip(1))}]
    served = httpx.post(server.url + "/embed", json={"inputs": items}).json()
    assert printed["fingerprint"] == served["fingerprint"]
    for ours, theirs in zip(printed["data"], served["data"], strict=True):
        assert ours["modality"] == theirs["modality"]
        np.testing.assert_allclose(ours["embedding"], theirs["embedding"], atol=1e-5)


def test_embed_of_a_bad_file_says_so_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no picture")
    result = run("embed", str(tmp_path / "a.jpg"), "--model-repository", str(REPOSITORY))
    assert result.returncode == 1
    assert "a.jpg: not a picture" in result.stderr
    assert "Traceback" not in result.stderr


def test_info_prints_models_and_limits() -> None:
    result = run("info", "--model-repository", str(REPOSITORY), "--max-items", "5")
    info = json.loads(result.stdout)
    assert info["limits"]["max_items"] == 5
    assert info["models"]["text"]["embedding_dim"] == info["dimensions"]


def test_openapi_prints_what_the_server_gives(server: LiveServer) -> None:
    assert json.loads(run("openapi").stdout) == httpx.get(server.url + "/openapi.json").json()


def test_help_documents_every_setting() -> None:
    text = run("serve", "--help").stdout
    for name in Settings.model_fields.keys() - {"api_key"}:  # a command line is for all to see
        assert f"--{name.replace('_', '-')}" in text
        assert f"ONEPEACE_{name.upper()}" in text.replace("\n", " ")


@pytest.mark.parametrize("module", ["torch", "onnx"])
def test_serving_needs_neither_torch_nor_onnx(module: str) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from service.cli import main\n"
        f"raise SystemExit(main(['embed', 'a cow', '--model-repository', {str(REPOSITORY)!r}]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("day", "words"), [("2020-01-01", "expired already"), ("soon", "is no date")])
def test_keys_new_makes_no_key_that_is_never_good(day: str, words: str) -> None:
    made = run("keys", "new", "--name", "search", "--expires", day)
    assert made.returncode == 2
    assert words in made.stderr
    assert made.stdout == ""


def test_keys_new_prints_the_key_once_and_its_table_without_it(tmp_path: Path) -> None:
    limits = ("--items-per-second", "50", "--expires", "2100-01-01")
    made = run("keys", "new", "--name", "search", "--scopes", "embed,similarity", *limits)
    assert made.returncode == 0
    (token,) = [line for line in made.stderr.splitlines() if line.startswith("op_")]
    assert token not in made.stdout
    assert len(set(token[3:])) > 20  # random, and not twice the same
    assert token not in run("keys", "new", "--name", "search").stderr
    path = tmp_path / "keys.toml"
    path.write_text(made.stdout)
    (key,) = read_keys(path)
    assert key.digests == (hashlib.sha256(token.encode()).digest(),)
    checked = run("keys", "check", str(path))
    assert checked.returncode == 0
    assert checked.stdout == "search: embed similarity; items 50/s, burst 50; expires 2100-01-01 00:00 UTC\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--name", "a b"),
        ("--name", "a", "--scopes", "fly"),
        ("--name", "a", "--items-per-second", "0"),
        ("--name", "a", "--requests-per-second", "nan"),
        ("--name", "a", "--expires", "soon"),
        (),
    ],
)
def test_keys_new_refuses_what_no_key_file_may_hold(arguments: tuple[str, ...]) -> None:
    result = run("keys", "new", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert "op_" not in result.stderr


def test_keys_check_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text("[keys.a]\n")
    result = run("keys", "check", str(path))
    assert (result.returncode, result.stdout) == (1, "")
    assert "keys.a.sha256: Field required" in result.stderr


def test_the_key_for_other_services_is_a_variable_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--api-key " not in run("serve", "--help").stdout
    monkeypatch.setenv("ONEPEACE_API_KEY", "op_secret")
    settings = load_settings()
    assert settings.api_key.get_secret_value() == "op_secret"
    assert "op_secret" not in repr(settings)
