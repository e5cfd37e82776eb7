"""Makes the sample files beside it from the made test split, which no training saw: `python -m examples.make`."""

from __future__ import annotations

from pathlib import Path

from training.data.corpus import MAKERS

HERE = Path(__file__).parent
SEED = 0
FILES = {  # file: (kind, number in the test split)
    "cow.jpg": ("pictures", 68),
    "dog.jpg": ("pictures", 885),
    "bell.jpg": ("pictures", 449),
    "train.jpg": ("pictures", 228),
    "scene.jpg": ("scenes", 14),
    "moo.flac": ("sounds", 0),
    "cow_spoken.flac": ("speech", 0),
}


def main() -> None:
    """Write every file of `FILES`."""
    for name, (kind, number) in FILES.items():
        content, rows = MAKERS[kind](SEED, "test", number)
        (HERE / name).write_bytes(content)
        print(name, *(f"{text} ({label})" for text, label in rows), sep="; ")


if __name__ == "__main__":
    main()
