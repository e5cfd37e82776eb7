"""A job that is killed at any moment goes on where it was: no row lost, none twice, nothing asked that was kept."""

from __future__ import annotations

import csv
import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from service.bulk.claim import claim, release
from service.bulk.errors import StoreError
from service.bulk.journal import Journal
from service.bulk.row import Row
from service.bulk.sources.choice import open_source
from service.bulk.sources.table import Columns
from service.bulk.store import Store
from service.bulk.table import parts_of
from tests.service.bulk.known_embedder import DIMENSIONS, IDENTITY, known_vector

ROWS = 1200


def write_table(path: Path, rows: int = ROWS) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "text"])
        writer.writerows([f"name {row}", f"text {row}"] for row in range(rows))


def kept_texts(out: Path) -> set[str]:
    """What stands in parts or in the journal, read while no job runs."""
    folder = out.with_name(out.name + ".parts") if out.suffix == ".parquet" else out
    kept = {f"text {row}" for part in parts_of(folder) for row in pq.read_table(part)["row"].to_pylist()}
    if (folder / "_journal.jsonl").exists():
        copy = folder.parent / "journal_copy"
        shutil.copy(folder / "_journal.jsonl", copy)
        journal = Journal(copy)
        kept |= {f"text {row.row}" for row in journal.rows}
        journal.close()
    return kept


@pytest.mark.parametrize("name", ["out", "out.parquet"])
def test_killed_at_random_moments_no_row_is_lost_or_made_twice(tmp_path: Path, name: str) -> None:
    table, out, log = tmp_path / "texts.csv", tmp_path / name, tmp_path / "asked"
    write_table(table)
    command = [sys.executable, "-m", "tests.service.bulk.known_job", table, out, str(1 << 20), "0.05", log]
    rng = random.Random(name)
    kills = 0
    kept: set[str] = set()
    for _ in range(25):
        log.write_bytes(b"")
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 30
        wanted = rng.randint(1, 250)  # so many bytes a line: after some 1 to 250 of the rows were asked
        while process.poll() is None and log.stat().st_size < wanted * len("text 999\n") and time.monotonic() < end:
            time.sleep(0.002)
        try:
            process.wait(rng.uniform(0.0, 0.05))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        code = process.wait()
        asked = log.read_text().splitlines()
        assert len(asked) == len(set(asked)), "one run asked twice"
        assert not kept & set(asked), "what was kept was asked again"
        if code == 0:
            break
        kept = kept_texts(out)
    assert code == 0
    assert kills >= 3
    result = pq.read_table(out).sort_by("row")
    assert result["row"].to_pylist() == list(range(ROWS))
    assert result["id"].to_pylist() == [f"name {row}" for row in range(ROWS)]
    vectors = np.stack(result["vector"].to_numpy())
    np.testing.assert_array_equal(vectors, np.stack([known_vector(f"text {row}") for row in range(ROWS)]))
    left = {path.name for path in tmp_path.rglob("*") if path.name.startswith((".", "_"))}
    assert left == (set() if name.endswith(".parquet") else {"_job.json", "_files.jsonl"})


def row_of(number: int) -> Row:
    return Row(number, str(number), None, "text", known_vector(str(number)), {"tokens": 1, "truncated": False}, None)


def test_a_journal_cut_off_at_any_byte_gives_its_whole_lines(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "whole")
    journal.append(row_of(0))
    first_end = (tmp_path / "whole").stat().st_size
    journal.append(row_of(1))
    journal.close()
    data = (tmp_path / "whole").read_bytes()
    for end in range(len(data) + 1):
        (tmp_path / "cut").write_bytes(data[:end])
        cut = Journal(tmp_path / "cut")
        assert [row.row for row in cut.rows] == [0, 1][: (end >= first_end) + (end == len(data))]
        cut.append(row_of(2))
        cut.close()
        again = Journal(tmp_path / "cut")
        assert again.rows[-1].row == 2
        np.testing.assert_array_equal(again.rows[-1].vector, known_vector("2"))
        again.close()


def open_known(out: Path, table: Path, *, restart: bool = False, fingerprint: str | None = None) -> Store:
    identity = IDENTITY if fingerprint is None else type(IDENTITY)("known", fingerprint, DIMENSIONS, IDENTITY.limits)
    source = open_source(str(table), Columns("text", "name", holds_texts=True))
    return Store(out, source, identity, restart=restart, rows_per_part=2)


def test_a_kill_between_part_and_journal_makes_no_row_twice(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", 3)
    store = open_known(tmp_path / "out", tmp_path / "t.csv")
    store.add(row_of(1))
    journal = (tmp_path / "out" / "_journal.jsonl").read_bytes()
    store.add(row_of(0))  # writes a part and clears the journal
    store.close()
    (tmp_path / "out" / "_journal.jsonl").write_bytes(journal)
    store = open_known(tmp_path / "out", tmp_path / "t.csv")
    assert store.done_rows == 2
    assert not store.has(2)
    store.add(row_of(2))
    store.finish()
    assert sorted(pq.read_table(tmp_path / "out")["row"].to_pylist()) == [0, 1, 2]


def test_a_changed_source_is_refused_and_named(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", 3)
    open_known(tmp_path / "out", tmp_path / "t.csv").close()
    write_table(tmp_path / "t.csv", 4)
    with pytest.raises(StoreError, match=r"the source has changed: '.*t\.csv' is not what it was; --restart"):
        open_known(tmp_path / "out", tmp_path / "t.csv")


def test_a_job_whose_source_has_a_name_that_is_not_utf8_goes_on(tmp_path: Path) -> None:
    table = tmp_path / os.fsdecode(b"caf\xe9.csv")
    write_table(table, 2)
    for done in range(2):
        store = open_known(tmp_path / "out", table)
        assert store.done_rows == done
        store.add(row_of(done))
        store.close()


def test_another_model_is_refused(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", 3)
    open_known(tmp_path / "out.parquet", tmp_path / "t.csv").close()
    with pytest.raises(StoreError, match=r"fingerprint was f+, and is 0+; --restart"):
        open_known(tmp_path / "out.parquet", tmp_path / "t.csv", fingerprint="0" * 64)


def test_a_finished_file_of_another_job_is_refused_and_kept(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", 1)
    store = open_known(tmp_path / "out.parquet", tmp_path / "t.csv")
    store.add(row_of(0))
    store.finish()
    with pytest.raises(StoreError, match="holds another job"):
        open_known(tmp_path / "out.parquet", tmp_path / "t.csv", fingerprint="0" * 64)
    assert {path.name for path in tmp_path.iterdir()} == {"out.parquet", "t.csv"}
    again = open_known(tmp_path / "out.parquet", tmp_path / "t.csv")
    assert again.done_rows == 1
    again.finish()
    assert {path.name for path in tmp_path.iterdir()} == {"out.parquet", "t.csv"}


def test_files_of_others_are_never_touched(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", 1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("dear")
    (tmp_path / "mine.parquet").write_text("not Parquet")
    for restart in (False, True):
        with pytest.raises(StoreError, match="not empty"):
            open_known(tmp_path / "mine", tmp_path / "t.csv", restart=restart)
        with pytest.raises(StoreError, match="no job of this kind"):
            open_known(tmp_path / "mine.parquet", tmp_path / "t.csv", restart=restart)
    assert (tmp_path / "mine" / "letter").exists()
    assert (tmp_path / "mine.parquet").read_text() == "not Parquet"
    assert not (tmp_path / "mine.parquet.parts").exists()


def test_restart_begins_anew(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", 3)
    store = open_known(tmp_path / "out", tmp_path / "t.csv")
    for number in range(3):
        store.add(row_of(number))
    store.close()
    store = open_known(tmp_path / "out", tmp_path / "t.csv", restart=True, fingerprint="0" * 64)
    assert store.done_rows == 0
    store.close()


def test_two_jobs_do_not_write_one_output(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", 3)
    store = open_known(tmp_path / "out", tmp_path / "t.csv")
    with pytest.raises(StoreError, match="being written by another job"):
        open_known(tmp_path / "out", tmp_path / "t.csv")
    store.close()


def test_nobody_takes_a_folder_that_is_being_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_table(tmp_path / "t.csv", 0)
    store = open_known(tmp_path / "out.parquet", tmp_path / "t.csv")
    remove = shutil.rmtree

    def remove_after_another_came(folder: Path) -> None:
        with pytest.raises(StoreError, match="being written by another job"):
            claim(folder, None, restart=False)
        remove(folder)

    monkeypatch.setattr(shutil, "rmtree", remove_after_another_came)
    store.finish()
    assert {path.name for path in tmp_path.iterdir()} == {"out.parquet", "t.csv"}


@pytest.mark.parametrize("made_again", [False, True])
def test_a_folder_that_is_removed_before_it_is_locked_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_again: bool
) -> None:
    folder = tmp_path / "out"
    lock_file = fcntl.flock

    def lock_too_late(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock_file)
        folder.rename(tmp_path / "removed")
        if made_again:
            folder.mkdir()
        lock_file(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", lock_too_late)
    lock = claim(folder, None, restart=False)
    assert os.path.samestat(os.fstat(lock), folder.stat())
    release(folder, lock)


def test_a_part_that_is_damaged_at_the_end_is_named_and_made_again(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", 4)
    store = open_known(tmp_path / "out.parquet", tmp_path / "t.csv")
    for number in range(4):
        store.add(row_of(number))
    part = parts_of(store.folder)[1]
    with pq.ParquetFile(part) as file:
        vectors = file.metadata.row_group(0).column(3)
    data = bytearray(part.read_bytes())
    start = vectors.dictionary_page_offset or vectors.data_page_offset
    data[start : start + vectors.total_compressed_size] = b"\xff" * vectors.total_compressed_size
    part.write_bytes(data)
    with pytest.raises(StoreError, match=f"{part.name} can't be read: .*; delete it"):
        store.finish()
    store.close()
    assert {path.name for path in tmp_path.iterdir()} == {"out.parquet.parts", "t.csv"}
    part.unlink()
    store = open_known(tmp_path / "out.parquet", tmp_path / "t.csv")
    assert [row for row in range(4) if not store.has(row)] == [2, 3]
    store.close()


def test_an_empty_source_gives_an_empty_table(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", 0)
    open_known(tmp_path / "out.parquet", tmp_path / "t.csv").finish()
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0
