"""`onepeace eval` as a user types it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.cli import main
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer
from tests.service.media_files import clip, picture
from training.evaluation.catalogue import PREPARATIONS
from training.evaluation.cli import SUMMARIES

COLOURS = ["red", "orange"]
THINGS = ["cow", "dog", "cat"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test split of three things, in the layout of the made data."""
    root = tmp_path_factory.mktemp("corpus")
    folder = root / "test"
    folder.mkdir()
    tables: dict[str, list[str]] = {name: [] for name in ("pictures", "colours", "scenes", "sounds", "speech")}
    for number, thing in enumerate(THINGS):
        (folder / f"{number}.png").write_bytes(picture(number))
        (folder / f"{number}.wav").write_bytes(clip(number, 1.0))
        tables["pictures"].append(f"{number}\t{number}.png\ta {thing}\t{thing}")
        tables["scenes"].append(f"{number}\t{number}.png\tthe {thing}\t5,5,40,60")
        tables["sounds"].append(f"{number}\t{number}.wav\tthe sound of a {thing}\t{thing}")
        tables["speech"].append(f"{number}\t{number}.wav\t{thing}\t{thing}")
        tables["colours"] += [f"{number}\t{number}.png\ta {one} {thing}\t{one} {thing}" for one in COLOURS]
    tables["pictures"].append("9\t0.png\ta circle\tcircle")
    for name, rows in tables.items():
        (folder / f"{name}.tsv").write_text("\n".join(rows) + "\n")
    return root


def evaluate(*arguments: object) -> int:
    return main(["eval", *map(str, arguments)])


def from_repository(*arguments: object) -> int:
    return evaluate(*arguments, "--model-repository", REPOSITORY)


def test_made_measures_every_task(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers, page = tmp_path / "out.json", tmp_path / "out.html"
    assert from_repository("made", corpus, "--galleries", 2, "--json", numbers, "--html", page) == 0
    printed = capsys.readouterr().out
    body = json.loads(numbers.read_text())
    titles = [result["title"] for result in body["results"]]
    assert titles == [
        "picture → name, zero-shot",
        "sound → name, zero-shot",
        "spoken word → name, zero-shot",
        "sound → picture",
        "spoken word → picture",
        "sound + colour word → picture",
        "phrase → box",
        "sound → label, trained head",
    ]
    assert all(title in printed for title in titles)
    by_title = {result["title"]: result for result in body["results"]}
    assert by_title["picture → name, zero-shot"]["count"] == 3  # the circle is no thing
    assert by_title["picture → name, zero-shot"]["details"]["classes"] == 68
    assert by_title["sound + colour word → picture"]["count"] == 2 * 3 * len(COLOURS)
    assert body["left_out"] == {}
    assert page.read_text().startswith("<!doctype html>")


def test_a_head_without_the_labels_is_left_out_and_named(corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY, tmp_path / "repository")
    labels = tmp_path / "repository" / "audio_labels" / "labels.txt"
    labels.write_text(labels.read_text().replace("cow\n", "aurochs\n"))
    numbers = tmp_path / "out.json"
    assert evaluate("made", corpus, "--model-repository", tmp_path / "repository", "--json", numbers) == 0
    left_out = json.loads(numbers.read_text())["left_out"]
    assert left_out == {"sound → label, trained head": "the trained head has no label 'cow'"}


def test_the_server_gives_the_repositorys_numbers(corpus: Path, server: LiveServer, tmp_path: Path) -> None:
    table = corpus / "test" / "pictures.tsv"
    for name, model in (("server", ("--server", server.url)), ("here", ("--model-repository", REPOSITORY))):
        assert evaluate("tsv-captions", table, *model, "--json", tmp_path / name) == 0
    ours, theirs = (json.loads((tmp_path / name).read_text()) for name in ("server", "here"))
    assert ours["results"] == theirs["results"]
    assert ours["model"] == theirs["model"]


def test_templates_and_limit_are_taken(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("the {}\n")
    table, out = corpus / "test" / "sounds.tsv", tmp_path / "out.json"
    flags = ("--template", "a {}", "--templates-file", tmp_path / "prompts.txt", "--limit", 2, "--json", out)
    assert from_repository("tsv-labels", table, *flags) == 0
    (result,) = json.loads(out.read_text())["results"]
    assert (result["count"], result["details"]["templates"]) == (2, ["a {}", "the {}"])


def test_regions_and_galleries(corpus: Path, server: LiveServer, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--server", server.url)
    assert evaluate("tsv-regions", corpus / "test" / "scenes.tsv", *asked) == 0
    assert "Acc@0.5" in capsys.readouterr().out
    assert evaluate("cross", corpus / "test", "--split", "speech", *asked) == 0
    assert "galleries of 3" in capsys.readouterr().out
    assert evaluate("composed", corpus / "test", "--sound-weight", 2, "--galleries", 1, *asked) == 0
    assert "galleries of 6" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["tsv-labels", "nowhere"], "nowhere: no such file or folder"),
        (["tsv-labels", ".", "--template", "a photo"], "exactly once"),
        (["tsv-labels", ".", "--json", "no/such/folder.json"], "can't be written"),
        (["tsv-labels", ".", "--html", "."], "can't be written"),
        (["tsv-labels", ".", "--limit", "0"], "a whole number from 1"),
        (["cross", ".", "--seed=-1"], "--seed: must be a whole number from 0"),
        (["cross", ".", "--seed=1.5"], "--seed: must be a whole number from 0"),
        (["composed", ".", "--sound-weight=nan"], "--sound-weight: must be a finite number above 0"),
        (["composed", ".", "--sound-weight=inf"], "--sound-weight: must be a finite number above 0"),
        (["composed", ".", "--sound-weight=-1"], "--sound-weight: must be a finite number above 0"),
        (["composed", ".", "--sound-weight=0"], "--sound-weight: must be a finite number above 0"),
        (["composed", ".", "--sound-weight=loud"], "--sound-weight: must be a finite number above 0"),
        (["mnist", "."], "invalid choice"),
        (["tsv-labels", ".", "--server", "http://x", "--model-repository", "y"], "not allowed with"),
    ],
)
def test_wrong_arguments_give_2(
    arguments: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = evaluate(*arguments)
    except SystemExit as left:
        code = left.code
    assert code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["tsv-labels", "bad.tsv"], "bad.tsv, line 1: 1 columns instead of 3 or 4"),
        (["tsv-labels", "good.tsv", "--server", "http://127.0.0.1:9"], "http://127.0.0.1:9: unreachable"),
        (["tsv-labels", "good.tsv", "--model-repository", "nowhere"], "nowhere: no such folder"),
        (["tsv-labels", "good.tsv", "--by", "head"], "labels sounds, not pictures"),
    ],
)
def test_failures_give_1_and_one_line(
    arguments: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.tsv").write_text("one cell\n")
    (tmp_path / "good.tsv").write_text("0\ta.png\ta cow\tcow\n")
    (tmp_path / "a.png").write_bytes(picture(1))
    assert evaluate(*arguments) == 1
    complained = capsys.readouterr().err
    assert complaint in complained
    assert complained.count("\n") == 1


def test_every_benchmark_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(SUMMARIES) == list(PREPARATIONS)
    with pytest.raises(SystemExit):
        evaluate("--help")
    shown = capsys.readouterr().out
    assert all(f"\n  {name} " in shown for name in SUMMARIES)


def test_evaluation_needs_no_torch_and_the_command_loads_it_late() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import service.cli; service.cli._parser()\n"
        "names = ('httpx', 'jinja2', 'tqdm', 'training.evaluation.catalogue')\n"
        "late = [name for name in names if name in sys.modules]\n"
        "assert not late, late\n"
        "import training.evaluation.catalogue, training.evaluation.server_model\n"
        "import training.evaluation.repository_model, training.evaluation.report.html\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
