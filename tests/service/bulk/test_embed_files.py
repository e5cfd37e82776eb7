"""`onepeace embed-files` as a user types it, on the committed model: same vectors as the server's, errors in rows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.cli import main
from tests.repository import REPOSITORY
from tests.service.bulk.test_sources import write_tar
from tests.service.live_server import LiveServer
from tests.service.media_files import clip, encoded, picture

MODEL = ["--model-repository", str(REPOSITORY), "--max-pixels", "50000", "--max-audio-seconds", "20"]
COLUMNS = ["id", "path", "modality", "vector", "truncated", "input", "error_code", "error", "row"]


def embed_files(source: Path | str, out: Path, *arguments: str) -> int:
    return main(["embed-files", str(source), "--out", str(out), *MODEL, *arguments])


def make_media(folder: Path) -> None:
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").write_bytes(picture(1))
    (folder / "b.jpg").write_bytes(picture(2, form="JPEG"))
    (folder / "c.wav").write_bytes(clip(3))
    (folder / "deep" / "d.flac").write_bytes(clip(4, seconds=17.0, form="FLAC"))
    (folder / "deep" / "e.txt").write_text("a cow\n")
    (folder / "deep" / "f.txt").write_text("cow " * 200)
    (folder / "g_large.png").write_bytes(picture(5, size=(300, 200)))
    (folder / "h_long.wav").write_bytes(clip(6, seconds=21.0))
    (folder / "i_damaged.jpg").write_bytes(picture(7, form="JPEG")[:300])
    (folder / "j.bin").write_bytes(b"\0\1\2")
    (folder / "k_gone.png").symlink_to("nowhere")


EXPECTED = {
    "a.png": ("image", None),
    "b.jpg": ("image", None),
    "c.wav": ("audio", None),
    "deep/d.flac": ("audio", None),
    "deep/e.txt": ("text", None),
    "deep/f.txt": ("text", None),
    "g_large.png": ("image", "image_too_large"),
    "h_long.wav": ("audio", "audio_too_long"),
    "i_damaged.jpg": ("image", "unreadable_image"),
    "j.bin": (None, "unsupported_file"),
    "k_gone.png": (None, "unreadable_file"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of media, and beside it `out.parquet`, made of it."""
    root = tmp_path_factory.mktemp("bulk")
    make_media(root / "media")
    assert embed_files(root / "media", root / "out.parquet") == 0
    return root


def served_vectors(server: LiveServer, items: list[dict[str, str]]) -> np.ndarray:
    answer = httpx.post(server.url + "/embed", json={"inputs": items}, timeout=60).json()
    return np.asarray([datum["embedding"] for datum in answer["data"]], np.float32)


def test_rows_say_what_they_are_or_what_is_wrong(made: Path) -> None:
    table = pq.read_table(made / "out.parquet")
    assert table.column_names == COLUMNS
    rows = {row["id"]: row for row in table.to_pylist()}
    assert {name: (row["modality"], row["error_code"]) for name, row in rows.items()} == EXPECTED
    assert list(rows) == [row["id"] for row in sorted(rows.values(), key=lambda row: row["row"])]
    for name, row in rows.items():
        assert row["path"] == str(made / "media" / name)
        assert (row["vector"] is None) == (row["error"] is not None)
    assert rows["a.png"]["input"]["width"] == 96
    assert rows["deep/d.flac"]["truncated"]
    assert rows["deep/d.flac"]["input"]["used_seconds"] == 15.0
    assert rows["deep/f.txt"]["truncated"]
    assert rows["deep/e.txt"]["input"]["tokens"] == 2
    assert not rows["deep/e.txt"]["truncated"]
    assert rows["a.png"]["truncated"] is False
    assert rows["j.bin"]["truncated"] is None


def test_vectors_are_the_servers(made: Path, server: LiveServer) -> None:
    table = pq.read_table(made / "out.parquet")
    rows = {row["id"]: row["vector"] for row in table.to_pylist() if row["vector"] is not None}
    items = []
    for name in rows:
        path = made / "media" / name
        kind = EXPECTED[name][0]
        data = path.read_bytes()
        items.append({str(kind): data.decode().removesuffix("\n") if kind == "text" else encoded(data)})
    np.testing.assert_allclose(np.asarray(list(rows.values())), served_vectors(server, items), atol=1e-5)


def test_the_file_names_model_fingerprint_dimensions_and_version(made: Path) -> None:
    schema = pq.read_schema(made / "out.parquet")
    assert schema.field("vector").type == pa.list_(pa.float32(), 128)
    info = subprocess.run(
        [sys.executable, "-m", "service.cli", "info", *MODEL], capture_output=True, check=True, timeout=60
    )
    facts = json.loads(info.stdout)
    for key in ("model", "fingerprint", "dimensions", "version"):
        assert schema.metadata[f"onepeace.{key}".encode()].decode() == str(facts[key])


def test_a_finished_job_has_nothing_to_do_and_other_limits_are_refused(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (made / "out.parquet").read_bytes()
    assert embed_files(made / "media", made / "out.parquet") == 0
    assert "11 rows are done already" in capsys.readouterr().err
    assert embed_files(made / "media", made / "out.parquet", "--max-pixels", "100") == 1
    assert "max_pixels was 50000, and is 100; --restart" in capsys.readouterr().err
    assert (made / "out.parquet").read_bytes() == before


def test_archives_tables_and_lists_give_the_same_vectors(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = made / "media"
    names = ["a.png", "c.wav", "deep/e.txt"]
    expected = {row["id"]: row["vector"] for row in pq.read_table(made / "out.parquet").to_pylist()}
    members = {f"{place}.{name.rpartition('.')[2]}": (media / name).read_bytes() for place, name in enumerate(names)}
    write_tar(tmp_path / "s.tar", {**members, "0.json": b"{}", "0.cls": b"7"})
    (tmp_path / "t.tsv").write_text("path\n" + "".join(f"{media / name}\n" for name in names))
    pq.write_table(pa.table({"text": ["a cow", "cow " * 200]}), tmp_path / "t.parquet")
    (tmp_path / "list").write_text("".join(f"{media / name}\n" for name in names))

    def vectors(source: str, *arguments: str) -> list[list[float]]:
        assert embed_files(source, tmp_path / "out", "--restart", *arguments) == 0
        return pq.read_table(tmp_path / "out").sort_by("row")["vector"].to_pylist()

    wanted = [expected[name] for name in names]
    np.testing.assert_allclose(vectors(str(tmp_path / "s.tar")), wanted, atol=1e-5)
    np.testing.assert_allclose(vectors(str(tmp_path / "t.tsv"), "--column", "path"), wanted, atol=1e-5)
    texts = vectors(str(tmp_path / "t.parquet"), "--column", "text", "--modality", "text")
    np.testing.assert_allclose(texts, [expected["deep/e.txt"], expected["deep/f.txt"]], atol=1e-5)
    with open(tmp_path / "list") as lines:
        monkeypatch.setattr(sys, "stdin", lines)
        np.testing.assert_allclose(vectors("-"), wanted, atol=1e-5)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle_the_same_command_goes_on(tmp_path: Path, sent: signal.Signals) -> None:
    (tmp_path / "media").mkdir()
    for number in range(200):
        os.link(_clip_file(tmp_path), tmp_path / "media" / f"{number:03d}.wav")
    command = [sys.executable, "-m", "service.cli", "embed-files", "media", "--out", "out", *MODEL]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=_take_interrupts
    )
    journal = tmp_path / "out" / "_journal.jsonl"
    end = time.monotonic() + 60
    while time.monotonic() < end and not (journal.exists() and journal.stat().st_size):
        time.sleep(0.01)
    process.send_signal(sent)
    _, complaints = process.communicate(timeout=60)
    if sent is signal.SIGINT:
        assert process.returncode == 130
        assert "the same command goes on" in complaints
        assert "Traceback" not in complaints
    kept = len(journal.read_bytes().splitlines())
    assert 0 < kept < 200
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert "rows are done already" in result.stderr
    table = pq.read_table(tmp_path / "out")
    assert sorted(table["row"].to_pylist()) == list(range(200))
    assert table["error"].null_count == 200


def _take_interrupts() -> None:
    """Tests that a shell started in the background were told to ignore them, and so would the job."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _clip_file(folder: Path) -> Path:
    path = folder / "clip.wav"
    if not path.exists():
        path.write_bytes(clip(1, seconds=3.0))
    return path


def test_an_output_whose_name_is_not_utf8_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "1.txt").write_text("a cow")
    assert embed_files(tmp_path / "1.txt", tmp_path / os.fsdecode(b"caf\xe9")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--out" in line
    assert [path.name for path in tmp_path.iterdir()] == ["1.txt"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nowhere"], "no file or folder 'nowhere'"),
        ([".", "--id-column", "x"], "need --column"),
        (["t.csv", "--column", "b"], "no column 'b'"),
        (["t.parquet", "--column", "a"], "holds int64, not strings"),
        (["nowhere/*.jpg"], "no folder 'nowhere'"),
        (["open.csv", "--column", "a"], "begins in line 3"),
        (["*.jpg"], "nothing matches '*.jpg'"),
        (["t.csv", "--column", "a", "--server", "ftp://host"], "must look like http://"),
    ],
)
def test_wrong_arguments_are_said_in_one_line_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("a\n1\n")
    (tmp_path / "open.csv").write_text('a\n1\n"2\n3\n')
    pq.write_table(pa.table({"a": [1]}), tmp_path / "t.parquet")
    assert embed_files(arguments[0], tmp_path / "out", *arguments[1:]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert why in line
    assert not (tmp_path / "out").exists()
