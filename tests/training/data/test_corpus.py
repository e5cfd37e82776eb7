from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

import pytest

from tests.training.data.emoji_font import needs_font
from tests.training.tiny import MODEL, VOCABULARY_SIZE, tokenizer
from training.configuration import ModelSettings, read_run
from training.data.__main__ import main
from training.data.concepts import concept_table
from training.data.corpus import CorpusError, corpus_sizes, describe_corpus, make_corpus
from training.data.examples import DataOptions, ExampleSet
from training.data.splits import SPLITS
from training.data.table import read_table
from training.models.initialization import model_config

needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng isn't installed (Debian package espeak-ng)"
)
CONFIG = model_config(ModelSettings(**MODEL), VOCABULARY_SIZE)
RUNS = sorted((Path(__file__).parents[3] / "training" / "runs" / "small").glob("*.yaml"))
PICTURES, SOUNDS = ("pictures", "varied", "colours", "scenes"), ("sounds", "speech")
HELD_OUT = {"pictures": 3, "colours": 3, "scenes": 2, "sounds": 3, "speech": 3}
SIZES = {
    "train": {"pictures": 4, "varied": 3, "colours": 3, "scenes": 2, "sounds": 4, "speech": 3},
    "validation": HELD_OUT,
    "test": HELD_OUT,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder, 5, SIZES, 1)
    return folder


def digests(folder: Path, pattern: str = "*") -> dict[str, str]:
    files = sorted(path for path in folder.rglob(pattern) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def tables(corpus: Path) -> dict[Path, list]:
    return {path: read_table(path) for path in sorted(corpus.rglob("*.tsv"))}


@needs_font
@needs_espeak
class TestMadeCorpus:
    def test_every_table_has_its_files(self, corpus):
        found = tables(corpus)
        assert {(path.parent.name, path.stem) for path in found} == {
            (split, kind) for split, kinds in SIZES.items() for kind in kinds
        }
        for path, rows in found.items():
            assert len({row.path for row in rows}) == SIZES[path.parent.name][path.stem]
            assert len({row.id for row in rows}) == len(rows)
            assert all(row.text and row.path.is_file() for row in rows)

    def test_equal_seeds_give_equal_bytes(self, corpus, tmp_path):
        sizes = {"train": {"pictures": 2, "sounds": 2}, "validation": {"scenes": 1}, "test": {"speech": 1}}
        make_corpus(tmp_path / "again", 5, sizes, 1)
        first, again = digests(corpus), digests(tmp_path / "again")
        assert {name: first[name] for name in again if not name.endswith(".tsv")} == {
            name: digest for name, digest in again.items() if not name.endswith(".tsv")
        }
        make_corpus(tmp_path / "other", 6, sizes, 1)
        media = {name for name in again if not name.endswith(".tsv")}
        assert all(digests(tmp_path / "other")[name] != again[name] for name in media)

    def test_what_is_there_is_not_made_again(self, corpus):
        before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
        make_corpus(corpus, 5, SIZES, 1)
        assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*")} == before

    def test_no_row_joins_a_picture_and_a_sound(self, corpus):
        for path, rows in tables(corpus).items():
            suffix = ".jpg" if path.stem in PICTURES else ".flac"
            for row, line in zip(rows, path.read_text().splitlines(), strict=True):
                assert row.path.suffix == suffix
                named = [column for column in line.split("\t") if column.endswith((".jpg", ".flac"))]
                assert named == [row.path.relative_to(path.parent).as_posix()]

    def test_no_file_is_in_two_tables(self, corpus):
        seen: dict[Path, Path] = {}
        for path, rows in tables(corpus).items():
            for row in rows:
                assert seen.setdefault(row.path, path) == path

    def test_no_example_holds_pixels_and_waveform(self, corpus):
        for path in tables(corpus):
            media = "image" if path.stem in PICTURES else "audio"
            examples = ExampleSet([path], tokenizer(), CONFIG, DataOptions(media))
            for index in range(len(examples)):
                example = examples[index]
                assert (example.pixels is None) != (example.waveform is None)
                assert (example.pixels is None) == (media == "audio")

    def test_splits_share_no_bytes(self, corpus):
        parts = [set(digests(corpus / split, pattern).values()) for split in SPLITS for pattern in ("*.jpg", "*.flac")]
        assert len(set().union(*parts)) == sum(map(len, parts)) == sum(sum(kinds.values()) for kinds in SIZES.values())

    def test_regions_lie_within_their_pictures(self, corpus):
        options = DataOptions("image", target="region", augment=False)
        examples = ExampleSet([corpus / split / "scenes.tsv" for split in SPLITS], tokenizer(), CONFIG, options)
        for index in range(len(examples)):
            x0, y0, x1, y1 = examples[index].target.tolist()
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1


def test_another_corpus_in_the_same_folder_is_refused(tmp_path):
    describe_corpus(tmp_path, 5, {"test": {"sounds": 2}})
    describe_corpus(tmp_path, 5, {"test": {"sounds": 2}, "train": {"sounds": 3}})
    with pytest.raises(CorpusError, match="another 'seed'"):
        describe_corpus(tmp_path, 6, {"test": {"sounds": 2}})
    with pytest.raises(CorpusError, match="another 'train'"):
        describe_corpus(tmp_path, 5, {"train": {"sounds": 4}})


@pytest.mark.parametrize("flags", [["--seed", "-1"], ["--workers", "0"], ["--train-share", "nan"], ["--splits", "all"]])
def test_wrong_arguments_are_named(tmp_path, monkeypatch, capsys, flags):
    monkeypatch.setattr(sys, "argv", ["training.data", str(tmp_path / "corpus"), *flags])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert flags[0] in capsys.readouterr().err


def test_a_folder_that_can_not_be_made_is_named_in_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(sys, "argv", ["training.data", str(tmp_path / "file")])
    assert main() == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_sizes_follow_the_shares():
    whole, small = corpus_sizes(), corpus_sizes(0.1, 0.5)
    assert whole["train"] == {
        "pictures": 72_000,
        "varied": 54_400,
        "colours": 40_800,
        "scenes": 48_000,
        "sounds": 32_000,
        "speech": 20_000,
    }
    assert small["train"]["pictures"] == 7_200
    assert small["validation"] == small["test"]
    assert min(small["test"].values()) >= len(concept_table().things)


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_a_run_reads_pictures_or_sounds_never_both(path):
    settings = read_run(path)
    kinds = PICTURES if settings.task in ("vision_language", "grounding") else SOUNDS
    tables = [*settings.data.train, *settings.data.validation]
    assert all(table.stem in kinds for table in tables)
    assert all("train" in table.parts for table in settings.data.train)
    assert all("validation" in table.parts for table in settings.data.validation)
