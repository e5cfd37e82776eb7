"""Labelled sounds: ESC-50, VGGSound, FSD50K."""

from __future__ import annotations

from pathlib import Path

from training.evaluation.benchmarks.labels import labelled, spoken
from training.evaluation.benchmarks.rows import (
    AUDIO_SUFFIXES,
    ReadOptions,
    csv_rows,
    first_file,
    first_folder,
    named_rows,
    sort_by_presence,
)
from training.evaluation.dataset import DataError, Labelled, LabelledFile

FOLDS = ("1", "2", "3", "4", "5")


def read_esc50(options: ReadOptions) -> Labelled:
    """`meta/esc50.csv` and `audio/`; all 2,000 clips, or with `--split` one fold, 1 to 5.

    Raises:
        DataError: files are missing or not as expected.
    """
    if options.split is not None and options.split not in FOLDS:
        raise DataError(f"ESC-50 has the folds 1 to 5, no '{options.split}'")
    media = options.media or options.data / "audio"
    rows = list(named_rows(options.data / "meta" / "esc50.csv", ("filename", "fold", "category")))
    classes = sorted({row.cells[2] for row in rows})
    files = [(media / row.cells[0], row.cells[2]) for row in rows if options.split in (None, row.cells[1])]
    return labelled("audio", files, classes)


def read_vggsound(options: ReadOptions) -> Labelled:
    """`vggsound.csv` (YouTube id, start second, label, train or test) and `<id>_<start, 6 digits>.wav`.

    Raises:
        DataError: files are missing or not as expected.
    """
    file = options.data if options.data.is_file() else options.data / "vggsound.csv"
    folder, split = file.parent, options.split or "test"
    media = options.media or first_folder([folder / split, folder / "audio", folder / "wav", folder])
    files, classes = [], set()
    for row in csv_rows(file, 4):
        video, start, label, part = (cell.strip() for cell in row.cells[:4])
        if not start.isdecimal():
            raise row.wrong(f"the start must be whole seconds, not '{start}'")
        classes.add(label)
        if part == split:
            files.append((sound_file(media, f"{video}_{int(start):06d}"), label))
    return labelled("audio", files, sorted(classes))


def read_fsd50k(options: ReadOptions) -> Labelled:
    """`FSD50K.ground_truth/` with `eval.csv`, `dev.csv` and `vocabulary.csv`, and `FSD50K.eval_audio/<fname>.wav`.

    The split is eval (default), dev, or dev's parts train and val. A clip has several of the 200 classes.

    Raises:
        DataError: files are missing or not as expected.
    """
    split = options.split or "eval"
    if split not in ("eval", "dev", "train", "val"):
        raise DataError(f"FSD50K has the splits eval, dev, train and val, no '{split}'")
    table = "eval" if split == "eval" else "dev"
    truth = first_folder([options.data / "FSD50K.ground_truth", options.data])
    media = options.media or first_folder([options.data / f"FSD50K.{table}_audio"])
    classes = tuple(row.cells[1] for row in csv_rows(first_file([truth / "vocabulary.csv"]), 2))
    numbers = {name: number for number, name in enumerate(classes)}
    columns = ("fname", "labels") if table == split else ("fname", "labels", "split")
    items = []
    for row in named_rows(truth / f"{table}.csv", columns):
        if len(columns) == 3 and row.cells[2] != split:
            continue
        labels = row.cells[1].split(",")
        if unknown := [label for label in labels if label not in numbers]:
            raise row.wrong(f"'{unknown[0]}' is not in vocabulary.csv")
        path = media / f"{row.cells[0]}.wav"
        items.append((path, LabelledFile(path, tuple(numbers[label] for label in labels))))
    found, missing = sort_by_presence(items)
    return Labelled("audio", found, classes, tuple(map(spoken, classes)), exclusive=False, missing=missing)


def sound_file(folder: Path, *stems: str) -> Path:
    """The file of one of these names with any sound's suffix; the first as WAV when none is there."""
    for stem in stems:
        for suffix in AUDIO_SUFFIXES:
            path = folder / (stem + suffix)
            if path.is_file():
                return path
    return folder / (stems[0] + AUDIO_SUFFIXES[0])
