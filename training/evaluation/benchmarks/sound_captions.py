"""Captioned sounds: AudioCaps and Clotho."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.evaluation.benchmarks.captions import captioned
from training.evaluation.benchmarks.rows import ReadOptions, first_file, first_folder, named_rows
from training.evaluation.benchmarks.sound_labels import sound_file
from training.evaluation.dataset import Captioned

CLOTHO_COLUMNS = ("file_name", "caption_1", "caption_2", "caption_3", "caption_4", "caption_5")


def read_audiocaps(options: ReadOptions) -> Captioned:
    """`<split>.csv` (audiocap_id, youtube_id, start_time, caption) and the sounds.

    A sound is `<youtube_id>_<start>.wav`, with or without leading zeros, or `<youtube_id>.wav`, or `Y<youtube_id>.wav`.
    The split is test (default: 5 captions a clip), val or train; DATA may also be the CSV.

    Raises:
        DataError: files are missing or not as expected.
    """
    split = options.split or "test"
    folder, file = options.data.parent, options.data
    if not file.is_file():
        folder, name = options.data, f"{split}.csv"
        file = first_file([folder / name, folder / "dataset" / name])
    media = options.media or first_folder([folder / split, folder / "audio" / split, folder / "audio", folder])
    return captioned("audio", _audiocaps(file, media))


def _audiocaps(file: Path, media: Path) -> Iterator[tuple[Path, str]]:
    for row in named_rows(file, ("youtube_id", "start_time", "caption")):
        video, start, caption = row.cells
        if not start.isdecimal():
            raise row.wrong(f"the start must be whole seconds, not '{start}'")
        yield sound_file(media, f"{video}_{start}", f"{video}_{int(start):06d}", video, f"Y{video}"), caption


def read_clotho(options: ReadOptions) -> Captioned:
    """`clotho_captions_<split>.csv` (file_name, caption_1 … caption_5) and the folder `<split>/`.

    The split is evaluation (default), validation or development.

    Raises:
        DataError: files are missing or not as expected.
    """
    split = options.split or "evaluation"
    media = options.media or first_folder([options.data / split, options.data / "audio" / split])
    rows = named_rows(first_file([options.data / f"clotho_captions_{split}.csv"]), CLOTHO_COLUMNS)
    return captioned("audio", ((media / row.cells[0], caption) for row in rows for caption in row.cells[1:]))
