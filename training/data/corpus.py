"""The made corpus on disk: tables and files in the layout that any other data has.

    CORPUS/<split>/pictures.tsv   one thing or shape each; label: its usual name
                   varied.tsv     training only: the same on many more backgrounds
                   colours.tsv    every thing in every colour; label: colour and name
                   scenes.tsv     phrases with the regions that they name
                   sounds.tsv     synthesised sounds; label: the thing's usual name
                   speech.tsv     spoken names; the same

Every row has one file, a picture or a sound, and a text. No row, and no file, joins a picture with a sound.
"""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import soundfile
from tqdm import tqdm

from training.data.concepts import TABLE_FILE, concept_table
from training.data.pictures.camera import encode_jpeg
from training.data.pictures.picture import make_coloured_picture, make_picture
from training.data.pictures.scene import make_scene
from training.data.sounds import SAMPLE_RATE_HZ, MadeSound, make_sound, make_speech
from training.data.splits import SPLITS, Split, example_generator
from training.data.table import Row, write_table

FILES_PER_FOLDER = 1000
VARIED_FROM = 1_020_000  # the first number of `varied`, far above those of `pictures`; a multiple of the things
Maker = Callable[[int, Split, int], tuple[bytes, list[tuple[str, str]]]]
"""(seed, split, number) → a file's bytes and the (text, label) of each of its rows."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file to make."""

    kind: str
    seed: int
    split: Split
    number: int
    folder: Path

    @property
    def path(self) -> Path:
        """Where the file goes."""
        suffix = ".flac" if self.kind in ("sounds", "speech") else ".jpg"
        name = f"{self.number:06d}{suffix}"
        return self.folder / self.kind / f"{self.number // FILES_PER_FOLDER:03d}" / name


def corpus_sizes(train: float = 1.0, held_out: float = 1.0) -> dict[Split, dict[str, int]]:
    """Files of each kind in each split; the factors make a smaller corpus."""
    table = concept_table()
    things, coloured = len(table.things), len(table.things) * len(table.colours)
    sizes: dict[Split, dict[str, int]] = {
        "train": {
            "pictures": 72_000,
            "varied": 54_400,
            "colours": 100 * coloured,
            "scenes": 48_000,
            "sounds": 32_000,
            "speech": 20_000,
        }
    }
    held = {"pictures": 30 * things, "colours": coloured, "scenes": 800, "sounds": 20 * things, "speech": 20 * things}
    sizes["validation"], sizes["test"] = dict(held), dict(held)
    factors = {"train": train, "validation": held_out, "test": held_out}
    return {
        split: {kind: max(things, round(count * factors[split])) for kind, count in kinds.items()}
        for split, kinds in sizes.items()
    }


class CorpusError(Exception):
    """A folder whose corpus is another one; the message names what differs."""


def describe_corpus(folder: Path, seed: int, sizes: dict[Split, dict[str, int]]) -> None:
    """Write down what the corpus in `folder` is, or hold it against what was written.

    Raises:
        CorpusError: it was made with another seed or table of concepts, or in other sizes.
    """
    table = hashlib.sha256(TABLE_FILE.read_bytes()).hexdigest()
    path = folder / "corpus.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"seed": seed, "concepts.yaml": table}
    wanted: dict[str, object] = {"seed": seed, "concepts.yaml": table}
    wanted.update(sizes.items())
    for name, value in wanted.items():
        if known.get(name, value) != value:
            raise CorpusError(
                f"{folder}: was made with another '{name}' ({known[name]}); remove it, or take another folder"
            )
    path.write_text(json.dumps({**known, **wanted}, indent=1) + "\n", encoding="utf-8")


def make_corpus(folder: Path, seed: int, sizes: dict[Split, dict[str, int]], workers: int) -> None:
    """Make every file and table under `folder` that is not there yet. Equal seeds and sizes give equal bytes."""
    for split in sorted(sizes, key=SPLITS.index, reverse=True):  # the small ones first, so that a mistake shows early
        for kind, count in sizes[split].items():
            table = folder / split / f"{kind}.tsv"
            if table.exists():  # written last, so its files are there
                continue
            jobs = [Job(kind, seed, split, number, folder / split) for number in range(count)]
            for parent in sorted({job.path.parent for job in jobs}):
                parent.mkdir(parents=True, exist_ok=True)
            rows = [row for made in _run(jobs, workers, f"{split} {kind}") for row in made]
            write_table(table, rows)


def make_file(job: Job) -> list[Row]:
    """Make one file; its rows."""
    content, rows = MAKERS[job.kind](job.seed, job.split, job.number)
    job.path.write_bytes(content)
    name = f"{job.split}-{job.kind}-{job.number}"
    return [Row(f"{name}-{place}", job.path, text, label) for place, (text, label) in enumerate(rows)]


def _run(jobs: list[Job], workers: int, title: str) -> Iterable[list[Row]]:
    if workers == 1:
        return [make_file(job) for job in tqdm(jobs, desc=title)]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return list(tqdm(pool.imap(make_file, jobs, chunksize=64), total=len(jobs), desc=title))


def _picture(seed: int, split: Split, number: int) -> tuple[bytes, list[tuple[str, str]]]:
    made = make_picture(seed, split, number)
    return encode_jpeg(made.image, example_generator(seed, split, "jpeg", number)), [(made.text, made.label)]


def _varied(seed: int, split: Split, number: int) -> tuple[bytes, list[tuple[str, str]]]:
    made = make_picture(seed, split, VARIED_FROM + number, wide=True)
    return encode_jpeg(made.image, example_generator(seed, split, "jpeg varied", number)), [(made.text, made.label)]


def _coloured(seed: int, split: Split, number: int) -> tuple[bytes, list[tuple[str, str]]]:
    made = make_coloured_picture(seed, split, number)
    content = encode_jpeg(made.image, example_generator(seed, split, "jpeg coloured", number))
    return content, [(made.text, f"{made.colour} {made.label}")]


def _scene(seed: int, split: Split, number: int) -> tuple[bytes, list[tuple[str, str]]]:
    made = make_scene(seed, split, number)
    content = encode_jpeg(made.image, example_generator(seed, split, "jpeg scene", number))
    return content, [(t.phrase, ",".join(f"{edge:.1f}" for edge in t.box)) for t in made.targets]


def _sound(seed: int, split: Split, number: int) -> tuple[bytes, list[tuple[str, str]]]:
    return _encode(make_sound(seed, split, number))


def _speech(seed: int, split: Split, number: int) -> tuple[bytes, list[tuple[str, str]]]:
    return _encode(make_speech(seed, split, number))


def _encode(made: MadeSound) -> tuple[bytes, list[tuple[str, str]]]:
    buffer = io.BytesIO()
    soundfile.write(buffer, made.waveform, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return buffer.getvalue(), [(made.text, made.label)]


MAKERS: dict[str, Maker] = {
    "pictures": _picture,
    "varied": _varied,
    "colours": _coloured,
    "scenes": _scene,
    "sounds": _sound,
    "speech": _speech,
}
