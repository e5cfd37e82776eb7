"""ESC-50, VGGSound, FSD50K, AudioCaps, Clotho."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.evaluation.benchmarks.trees import write
from training.evaluation.benchmarks.rows import ReadOptions
from training.evaluation.benchmarks.sound_captions import read_audiocaps, read_clotho
from training.evaluation.benchmarks.sound_labels import read_esc50, read_fsd50k, read_vggsound
from training.evaluation.dataset import DataError

ESC50 = (
    "filename,fold,target,category,esc10,src_file,take\r\n"
    "1-100032-A-0.wav,1,0,dog,True,100032,A\r\n"
    "2-100038-A-14.wav,2,14,chirping_birds,False,100038,A\r\n"
)
VGGSOUND = (
    "---g-f_I2yQ,1,people marching,test\n"
    '--0PQM4-hqg,30,"people eating, crisps",test\n'
    "--56QUhyDQM,185,playing tennis,train\n"
)
FSD50K = {
    "FSD50K.ground_truth/vocabulary.csv": "0,Accordion,/m/0mkg\n1,Electric_guitar,/m/02sgy\n2,Guitar,/m/0342h\n",
    "FSD50K.ground_truth/eval.csv": 'fname,labels,mids\n37199,"Electric_guitar,Guitar","/m/1,/m/2"\n5,Accordion,/m/3\n',
    "FSD50K.ground_truth/dev.csv": "fname,labels,mids,split\n64760,Guitar,/m/2,train\n16399,Accordion,/m/3,val\n",
    "FSD50K.eval_audio/37199.wav": "",
    "FSD50K.dev_audio/64760.wav": "",
    "FSD50K.dev_audio/16399.wav": "",
}


def test_esc50_with_and_without_a_fold(tmp_path: Path) -> None:
    write(tmp_path, {"meta/esc50.csv": ESC50, "audio/1-100032-A-0.wav": "", "audio/2-100038-A-14.wav": ""})
    data = read_esc50(ReadOptions(tmp_path))
    assert (data.classes, data.names) == (("chirping_birds", "dog"), ("chirping birds", "dog"))
    assert [item.labels for item in data.items] == [(1,), (0,)]
    fold = read_esc50(ReadOptions(tmp_path, split="2"))
    assert [item.path.name for item in fold.items] == ["2-100038-A-14.wav"]
    assert fold.classes == data.classes
    with pytest.raises(DataError, match="folds 1 to 5"):
        read_esc50(ReadOptions(tmp_path, split="6"))


def test_a_csv_without_a_column_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"meta/esc50.csv": "filename,fold\n"})
    with pytest.raises(DataError, match=r"esc50.csv, line 1: the header lacks the column 'category'"):
        read_esc50(ReadOptions(tmp_path))


def test_a_short_row_is_named_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, {"meta/esc50.csv": ESC50 + "x.wav,1\n"})
    with pytest.raises(DataError, match=r"esc50.csv, line 4: 2 cells, 4 are needed"):
        read_esc50(ReadOptions(tmp_path))


def test_vggsound_takes_the_test_part_and_all_classes(tmp_path: Path) -> None:
    write(tmp_path, {"vggsound.csv": VGGSOUND, "test/---g-f_I2yQ_000001.wav": ""})
    data = read_vggsound(ReadOptions(tmp_path))
    assert data.classes == ("people eating, crisps", "people marching", "playing tennis")
    assert [(item.path.name, item.labels) for item in data.items] == [("---g-f_I2yQ_000001.wav", (1,))]
    assert [path.name for path in data.missing] == ["--0PQM4-hqg_000030.wav"]


def test_vggsound_takes_other_sound_formats(tmp_path: Path) -> None:
    write(tmp_path, {"vggsound.csv": VGGSOUND, "audio/--56QUhyDQM_000185.flac": ""})
    assert len(read_vggsound(ReadOptions(tmp_path, split="train")).items) == 1


def test_a_bad_start_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"vggsound.csv": VGGSOUND + "id,soon,dog,test\n"})
    with pytest.raises(DataError, match=r"vggsound.csv, line 4: the start .* not 'soon'"):
        read_vggsound(ReadOptions(tmp_path))


def test_fsd50k_has_several_labels(tmp_path: Path) -> None:
    data = read_fsd50k(ReadOptions(write(tmp_path, FSD50K)))
    assert (data.exclusive, data.names) == (False, ("Accordion", "Electric guitar", "Guitar"))
    assert [(item.path.name, item.labels) for item in data.items] == [("37199.wav", (1, 2))]
    assert [path.name for path in data.missing] == ["5.wav"]


@pytest.mark.parametrize(("split", "files"), [("dev", ["64760.wav", "16399.wav"]), ("val", ["16399.wav"])])
def test_fsd50k_development_parts(tmp_path: Path, split: str, files: list[str]) -> None:
    data = read_fsd50k(ReadOptions(write(tmp_path, FSD50K), split=split))
    assert [item.path.name for item in data.items] == files


def test_fsd50k_with_an_unknown_label_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {**FSD50K, "FSD50K.ground_truth/vocabulary.csv": "0,Accordion,/m/0mkg\n"})
    with pytest.raises(DataError, match=r"eval.csv, line 2: 'Electric_guitar' is not in vocabulary.csv"):
        read_fsd50k(ReadOptions(tmp_path))


AUDIOCAPS = (
    "audiocap_id,youtube_id,start_time,caption\n"
    "103549,7fmOlUlwoNg,0,Constant rattling noise and sharp vibrations\n"
    '103548,6BJ455B1aAs,30,"A rocket flies by, then explodes"\n'
    "103541,7fmOlUlwoNg,0,A machine rattles\n"
    "103534,GOD8Bt5LfDE,100,A duck quacks\n"
)


def test_audiocaps_finds_files_by_id_with_or_without_start(tmp_path: Path) -> None:
    files = ["test/7fmOlUlwoNg.wav", "test/6BJ455B1aAs_30.wav", "test/GOD8Bt5LfDE_000100.flac"]
    write(tmp_path, {"test.csv": AUDIOCAPS, **dict.fromkeys(files, "")})
    data = read_audiocaps(ReadOptions(tmp_path))
    assert [(item.path.name, item.captions) for item in data.items] == [
        ("7fmOlUlwoNg.wav", ("Constant rattling noise and sharp vibrations", "A machine rattles")),
        ("6BJ455B1aAs_30.wav", ("A rocket flies by, then explodes",)),
        ("GOD8Bt5LfDE_000100.flac", ("A duck quacks",)),
    ]
    assert read_audiocaps(ReadOptions(tmp_path / "test.csv")) == data


def test_clotho_has_five_captions_in_a_row(tmp_path: Path) -> None:
    table = "file_name,caption_1,caption_2,caption_3,caption_4,caption_5\nSanta Motor.wav,a,b,c,d,e\n"
    write(tmp_path, {"clotho_captions_evaluation.csv": table, "evaluation/Santa Motor.wav": ""})
    assert read_clotho(ReadOptions(tmp_path)).items[0].captions == ("a", "b", "c", "d", "e")
