"""`python -m training.data FOLDER`: make the corpus, with its vocabulary and the names of its labels."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from training.data.concepts import concept_table
from training.data.corpus import corpus_sizes, make_corpus
from training.data.splits import SPLITS
from training.data.vocabulary import write_vocabulary


def main() -> int:
    """Make the corpus; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.data", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train-share", type=float, default=1.0, help="share of the training examples to make")
    parser.add_argument("--held-out-share", type=float, default=1.0, help="the same of validation and test")
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=SPLITS, help="make only these (default: all)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    write_vocabulary(args.folder / "bpe")
    names = (thing.name for thing in concept_table().things)
    (args.folder / "audio_labels.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    sizes = corpus_sizes(args.train_share, args.held_out_share)
    make_corpus(args.folder, args.seed, {split: sizes[split] for split in args.splits}, args.workers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
