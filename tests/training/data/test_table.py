from __future__ import annotations

import pytest

from training.data.table import Row, TableError, read_table, rows_of_folders, write_table


def test_what_was_written_is_read(tmp_path):
    rows = [
        Row("1", tmp_path / "a.jpg", "a cow"),
        Row("2", tmp_path / "deep" / "b.jpg", " spaces  and “quotes” ", "0,0,10,20"),
        Row("3", tmp_path / "a.jpg", "line\u2028separator, next\x85line and form\x0cfeed", "cow"),
    ]
    write_table(tmp_path / "table.tsv", rows)
    assert read_table(tmp_path / "table.tsv") == rows


def test_a_header_tells_the_columns(tmp_path):
    """The reference's tables: retrieval, grounding, sounds with their duration."""
    (tmp_path / "a.tsv").write_text("image_id\timage\tcaption\n7\ta.jpg\ta cow\n")
    (tmp_path / "b.tsv").write_text("image\ttext\tregion_coord\nb.jpg\tthe cow\t1,2,3,4\n")
    (tmp_path / "c.tsv").write_text("uniq_id\taudio\ttext\tduration\n9\tc.flac\t12\t10.0\n")
    assert read_table(tmp_path / "a.tsv") == [Row("7", tmp_path / "a.jpg", "a cow", "a cow")]
    assert read_table(tmp_path / "b.tsv") == [Row("2", tmp_path / "b.jpg", "the cow", "1,2,3,4")]
    assert read_table(tmp_path / "c.tsv") == [Row("9", tmp_path / "c.flac", "12", "12")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image\ttext\n", "holds no examples"),
        ("image\ttext\textra\na.jpg\ta cow\n", r"line 2: 2 columns instead of 3"),
    ],
)
def test_lines_must_fit_their_header(tmp_path, content, message):
    (tmp_path / "table.tsv").write_text(content)
    with pytest.raises(TableError, match=message):
        read_table(tmp_path / "table.tsv")


def test_lines_may_end_as_on_windows(tmp_path):
    (tmp_path / "table.tsv").write_bytes(b"1\ta.jpg\ta cow\r\n2\tb.jpg\ta dog\r\n")
    assert [row.text for row in read_table(tmp_path / "table.tsv")] == ["a cow", "a dog"]


def test_the_last_line_needs_no_end(tmp_path):
    (tmp_path / "table.tsv").write_text("1\ta.jpg\ta cow\n2\tb.jpg\ta dog\tdog")
    assert [row.label for row in read_table(tmp_path / "table.tsv")] == ["", "dog"]


@pytest.mark.parametrize(("line", "count"), [("2\tb.jpg", 2), ("", 1), ("2\tb.jpg\ta dog\tdog\textra", 5)])
def test_a_wrong_number_of_columns_names_file_and_line(tmp_path, line, count):
    path = tmp_path / "table.tsv"
    path.write_text(f"1\ta.jpg\ta cow\n{line}\n3\tc.jpg\ta cat\n")
    with pytest.raises(TableError, match=rf"table\.tsv, line 2: {count} columns instead of 3 or 4"):
        read_table(path)


def test_files_that_are_no_table_are_named(tmp_path):
    (tmp_path / "empty.tsv").write_text("")
    (tmp_path / "bytes.tsv").write_bytes(b"1\ta.jpg\t\xff\n")
    for name in ("empty.tsv", "bytes.tsv", "absent.tsv"):
        with pytest.raises(TableError, match=name):
            read_table(tmp_path / name)


@pytest.mark.parametrize("text", ["a\tcow", "a\ncow", "a\rcow"])
def test_a_text_that_would_break_the_table_is_refused(tmp_path, text):
    with pytest.raises(TableError, match=r"table\.tsv: example 'x7'"):
        write_table(tmp_path / "table.tsv", [Row("x7", tmp_path / "a.jpg", text)])
    assert not (tmp_path / "table.tsv").exists()


def test_a_region_is_four_numbers(tmp_path):
    assert Row("1", tmp_path, "", "1,2.5,30,40").region() == (1.0, 2.5, 30.0, 40.0)


@pytest.mark.parametrize(
    "label", ["", "cow", "1,2,3", "1,2,3,4,5", "5,0,5,9", "9,0,5,9", "0,9,5,3", "0,0,nan,4", "0,0,inf,4"]
)
def test_anything_else_is_no_region(tmp_path, label):
    with pytest.raises(ValueError, match=r"."):
        Row("1", tmp_path, "", label).region()


def test_a_folder_for_each_class_makes_rows(tmp_path):
    for name in ("sea_lion/b.wav", "sea_lion/a.wav", "cow/a.wav", "cow/.hidden", "loose.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert rows_of_folders(tmp_path) == [
        Row("cow/a.wav", tmp_path / "cow" / "a.wav", "cow", "cow"),
        Row("sea_lion/a.wav", tmp_path / "sea_lion" / "a.wav", "sea lion", "sea_lion"),
        Row("sea_lion/b.wav", tmp_path / "sea_lion" / "b.wav", "sea lion", "sea_lion"),
    ]


def test_a_folder_without_files_is_named(tmp_path):
    (tmp_path / "cow").mkdir()
    with pytest.raises(TableError, match=str(tmp_path)):
        rows_of_folders(tmp_path)
