"""Each kind of source gives its rows, in order, whatever the names and the links."""

from __future__ import annotations

import io
import os
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.bulk.entry import Entry
from service.bulk.errors import SourceError
from service.bulk.sources.archive import expand_braces, split_key
from service.bulk.sources.choice import open_source
from service.bulk.sources.protocol import Source, Stamp
from service.bulk.sources.table import Columns


def rows_of(source: Source) -> list[Entry]:
    entries = list(source.entries(source.files()))
    assert [entry.row for entry in entries] == list(range(len(entries)))
    return entries


def ids(source: str, columns: Columns | None = None, left_out: frozenset[str] = frozenset()) -> list[str]:
    return [entry.id for entry in rows_of(open_source(source, columns, left_out))]


def make_tree(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def write_tar(path: Path, members: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> None:
    with tarfile.open(path, "w", format=form) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def test_a_folder_is_walked_in_order_without_hidden_files(tmp_path: Path) -> None:
    make_tree(tmp_path, "b/2.txt", "b/10.txt", "a.txt", "c.txt", ".git/x.txt", "b/.hidden")
    assert ids(str(tmp_path)) == ["a.txt", "b/10.txt", "b/2.txt", "c.txt"]


def test_loops_of_links_end_and_broken_links_and_pipes_are_rows(tmp_path: Path) -> None:
    make_tree(tmp_path, "a/1.txt", "b/2.txt")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b" / "here").symlink_to(".")
    (tmp_path / "b" / "gone").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    entries = rows_of(open_source(str(tmp_path), None))
    assert [entry.id for entry in entries] == ["a/1.txt", "b/2.txt", "b/gone", "pipe", "zero"]
    assert [entry.failure and entry.failure.code for entry in entries] == [None, None, *["unreadable_file"] * 3]
    assert [entry.file is None for entry in entries] == [False, False, True, True, True]


def test_links_lead_out_of_the_folder_but_not_to_one_that_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tree(tmp_path, "foreign.txt", "more/3.txt", "top/media/1.txt", "top/media/2/2.txt")
    media = tmp_path / "top" / "media"
    (media / "more").symlink_to(tmp_path / "more")
    (media / "parent").symlink_to("..")
    (media / "2" / "far").symlink_to(tmp_path)
    (tmp_path / "linked").symlink_to(media)
    expected = ["1.txt", "2/2.txt", "more/3.txt"]
    assert ids(str(media)) == ids(str(tmp_path / "linked")) == ids(f"{media}/**") == expected
    monkeypatch.chdir(media)
    assert ids(".") == expected
    assert len(ids("**")) == len(expected)


def test_the_output_is_not_taken_for_a_source(tmp_path: Path) -> None:
    make_tree(tmp_path, "1.txt", "out/part-0.parquet")
    assert ids(str(tmp_path), left_out=frozenset({os.path.realpath(tmp_path / "out")})) == ["1.txt"]


def test_names_that_are_not_utf8_are_shown_with_escapes_and_found(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    (entry,) = rows_of(open_source(str(tmp_path), None))
    assert entry.id == "caf\\xe9.txt"
    assert entry.file is not None
    assert Path(entry.file).read_text() == "x"
    assert Stamp.of_line(Stamp(entry.file).line()).path == entry.file


def test_a_list_names_files_that_are_not_utf8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    Path(os.fsdecode(name)).write_text("x")
    (tmp_path / "list").write_bytes(b"\n" + name + b"\r\n" + name)
    with open(tmp_path / "list", encoding="utf-8") as lines:
        monkeypatch.setattr(sys, "stdin", lines)
        entries = rows_of(open_source("-", None))
    assert [entry.file for entry in entries] == [os.fsdecode(name)] * 2
    assert entries[0].id == f"{tmp_path}/caf\\xe9.txt"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["1.txt"]),
        ("*/*.txt", ["a/2.txt", "b/4.txt"]),
        ("**/*.txt", ["1.txt", "a/2.txt", "a/c/3.txt", "b/4.txt"]),
        ("a/**", ["2.txt", "c/3.txt"]),
        ("[ab]/?.txt", ["a/2.txt", "b/4.txt"]),
        ("a/*/3.txt", ["c/3.txt"]),
        ("*/c/*", ["a/c/3.txt"]),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    make_tree(tmp_path, "1.txt", "a/2.txt", "a/c/3.txt", "b/4.txt", ".h/5.txt", "a/x.png")
    found = ids(f"{tmp_path}/{pattern}")
    assert [name for name in found if name.endswith(".txt")] == expected


def test_a_csv_with_mark_quotes_and_line_breaks(tmp_path: Path) -> None:
    text = '\ufeffname,what\r\n1,"a, ""cow"""\r\n2,"two\nlines"\r\n3,\r\n4\r\n'
    (tmp_path / "t.csv").write_bytes(text.encode())
    entries = rows_of(open_source(str(tmp_path / "t.csv"), Columns("what", "name", holds_texts=True)))
    assert [(entry.id, entry.text) for entry in entries] == [
        ("1", 'a, "cow"'),
        ("2", "two\nlines"),
        ("3", ""),
        ("4", None),
    ]
    assert entries[3].failure is not None
    assert open_source(str(tmp_path / "t.csv"), Columns("what")).count([]) == 4


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('id,cap\n1,"never closed\n2,b\n', 2),
        ('id,cap\n1,a\n2,"b"c\n3,d\n', 3),
        ('id,cap\n1,"two\nlines"\n\n2,"closed by\n3,"another row"\n', 5),
    ],
)
def test_a_quote_that_would_swallow_rows_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(SourceError, match=rf"t\.csv: the row that begins in line {line}: "):
        open_source(str(tmp_path / "t.csv"), Columns("cap", "id", holds_texts=True))


def test_a_row_with_more_cells_than_the_header_is_an_error_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,cap\n1,a, and more\n2,b,,\n3,c\n")
    entries = rows_of(open_source(str(tmp_path / "t.csv"), Columns("cap", "id", holds_texts=True)))
    assert [(entry.id, entry.text) for entry in entries] == [("1", None), ("2", "b"), ("3", "c")]
    assert entries[0].failure is not None
    assert (entries[0].failure.code, entries[0].failure.detail) == (
        "invalid_field",
        "the row has 3 cells, the header 2",
    )


def test_a_text_that_is_not_utf8_is_an_error_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("cap\ncafé\ncow\n".encode("latin-1"))
    entries = rows_of(open_source(str(tmp_path / "t.csv"), Columns("cap", holds_texts=True)))
    assert [entry.text for entry in entries] == [None, "cow"]
    assert entries[0].failure is not None
    assert (entries[0].failure.code, entries[0].failure.detail) == ("invalid_text", "the text is not UTF-8")


def test_an_empty_table_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("")
    with pytest.raises(SourceError, match=r"t\.csv is empty"):
        open_source(str(tmp_path / "t.csv"), Columns("cap"))


def test_paths_of_a_tsv_are_relative_to_its_folder(tmp_path: Path) -> None:
    make_tree(tmp_path, "media/1.txt")
    (tmp_path / "t.tsv").write_text(f"path\tlabel\nmedia/1.txt\tx\n{tmp_path}/media/1.txt\ty\n\tz\n")
    entries = rows_of(open_source(str(tmp_path / "t.tsv"), Columns("path")))
    assert [entry.file for entry in entries] == [str(tmp_path / "media/1.txt")] * 2 + [None]
    assert [entry.id for entry in entries] == ["0", "1", "2"]
    assert entries[2].failure is not None
    assert entries[2].failure.code == "invalid_field"


def test_a_parquet_column_with_nulls_and_numbers_for_ids(tmp_path: Path) -> None:
    table = pa.table({"n": [7, None, 9], "t": pa.array(["a", None, "c"]).dictionary_encode(), "x": [0.5, 1.5, 2.5]})
    pq.write_table(table, tmp_path / "t.parquet")
    source = open_source(str(tmp_path / "t.parquet"), Columns("t", "n", holds_texts=True))
    assert [(entry.id, entry.text) for entry in rows_of(source)] == [("7", "a"), ("1", None), ("9", "c")]
    assert source.count([]) == 3
    with pytest.raises(SourceError, match="'x' holds double, not strings"):
        open_source(str(tmp_path / "t.parquet"), Columns("x"))


def test_a_missing_column_is_named_with_those_that_exist(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="no column 'c', only 'a', 'b'"):
        open_source(str(tmp_path / "t.csv"), Columns("c"))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_column_that_is_there_twice_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "t.csv").write_text("a,b,a\n1,2,3\n")
    pq.write_table(pa.table([["1"], ["2"], ["3"]], names=["a", "b", "a"]), tmp_path / "t.parquet")
    path = str(tmp_path / f"t.{suffix}")
    with pytest.raises(SourceError, match="more than one column 'a'"):
        open_source(path, Columns("a"))
    assert [entry.text for entry in rows_of(open_source(path, Columns("b", holds_texts=True)))] == ["2"]


def test_a_parquet_table_whose_name_is_not_utf8_is_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": ["1"]}), tmp_path / "t.parquet")
    path = (tmp_path / "t.parquet").rename(tmp_path / os.fsdecode(b"caf\xe9.parquet"))
    source = open_source(str(path), Columns("a", holds_texts=True))
    assert [entry.text for entry in rows_of(source)] == ["1"]


def test_a_parquet_table_with_a_damaged_row_group_gives_the_rows_before_it(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    texts = [f"text {row}" for row in range(4096)]
    pq.write_table(pa.table({"a": texts}), path, row_group_size=2048, use_dictionary=False)
    with pq.ParquetFile(path) as file:
        second = file.metadata.row_group(1).column(0).data_page_offset
    data = path.read_bytes()
    path.write_bytes(data[:second] + b"\xff" * 400 + data[second + 400 :])
    source = open_source(str(path), Columns("a", holds_texts=True))
    read: list[str | None] = []
    with pytest.raises(SourceError, match=r"t\.parquet: ") as caught:
        read += (entry.text for entry in source.entries(source.files()))
    assert "\n" not in str(caught.value)
    assert read == texts[: len(read)]
    assert len(read) >= 1024


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_members_of_archives_lie_where_the_entry_says(tmp_path: Path, form: int) -> None:
    folder = "long" * 20
    first = {"a/1.jpg": b"one", "a/1.json": b"{}", f"{folder}/2.seg.txt": b"two" * 500, ".hidden": b"x"}
    write_tar(tmp_path / "s-000.tar", first, form)
    write_tar(tmp_path / "s-001.tar", {"3.txt": b""}, form)
    for pattern in ("s-*.tar", "s-{000..001}.tar"):
        entries = rows_of(open_source(f"{tmp_path}/{pattern}", None))
        assert [entry.id for entry in entries] == ["a/1", f"{folder}/2", "3"]
        for entry, data in zip(entries, (b"one", b"two" * 500, b""), strict=True):
            assert entry.file is not None
            assert entry.offset is not None
            assert Path(entry.file).read_bytes()[entry.offset :][: entry.size] == data
    assert entries[0].path == f"{tmp_path}/s-000.tar/a/1.jpg"


def test_a_broken_archive_is_a_row_and_the_next_has_its_turn(tmp_path: Path) -> None:
    write_tar(tmp_path / "s-0.tar", {"1.txt": b"one", "2.txt": b"two"})
    data = (tmp_path / "s-0.tar").read_bytes()
    (tmp_path / "s-0.tar").write_bytes(data[:512] + b"o" * 1000)
    (tmp_path / "s-1.tar").write_bytes(b"\x1f\x8b" + b"gzip" * 300)
    write_tar(tmp_path / "s-3.tar", {"3.txt": b"three"})
    entries = rows_of(open_source(f"{tmp_path}/s-{{0..3}}.tar", None))
    assert entries[-1].id == "3"
    assert {entry.id for entry in entries if entry.failure} == {f"{tmp_path}/s-{n}.tar" for n in range(3)}


@pytest.mark.parametrize("size", [-512, 1 << 62, 10**30])
def test_an_archive_with_an_impossible_size_ends_with_a_row_that_says_so(tmp_path: Path, size: int) -> None:
    header = tarfile.TarInfo("1.txt")
    header.pax_headers = {"size": str(size)}
    data = header.tobuf(tarfile.PAX_FORMAT)
    (tmp_path / "s.tar").write_bytes(data + bytes(2 * tarfile.BLOCKSIZE))
    (entry,) = rows_of(open_source(str(tmp_path / "s.tar"), None))
    assert entry.id == f"{tmp_path}/s.tar"
    assert entry.failure is not None
    assert "damaged" in entry.failure.detail


def test_a_sparse_member_is_a_row_that_says_so(tmp_path: Path) -> None:
    member = tarfile.TarInfo("1.txt")
    member.type = tarfile.GNUTYPE_SPARSE
    (tmp_path / "s.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(2 * tarfile.BLOCKSIZE))
    (entry,) = rows_of(open_source(str(tmp_path / "s.tar"), None))
    assert (entry.id, entry.file) == ("1", None)
    assert entry.failure is not None
    assert entry.failure.code == "unsupported_file"


def test_keys_as_webdataset_has_them() -> None:
    assert split_key("a.b/c.seg.PNG") == ("a.b/c", "seg.png")
    assert split_key("c") == ("c", "")


def test_braces_as_a_shell_has_them() -> None:
    assert list(expand_braces("{a,b}-{08..10}.tar")) == [f"{x}-{n}.tar" for x in "ab" for n in ("08", "09", "10")]


@pytest.mark.parametrize(
    ("name", "columns", "why"),
    [
        ("nothing", None, "no file or folder"),
        ("t.csv", Columns("a"), "no file"),
        ("a.tar.gz", None, "unpack"),
        (".", Columns("a"), "belong to a .tsv"),
        ("nowhere/*.jpg", None, "no folder"),
        ("nowhere/*.tar", None, "no folder"),
        ("*.jpg", None, "nothing matches"),
        ("**/*.jpg", None, "nothing matches"),
        ("*.tar", None, "nothing matches"),
        ("s-{3..1}.tar", None, "backwards"),
    ],
)
def test_what_is_no_source_is_refused(tmp_path: Path, name: str, columns: Columns | None, why: str) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"x")
    with pytest.raises(SourceError, match=why):
        open_source(f"{tmp_path}/{name}", columns)
