"""`python -m training.data FOLDER`: make the corpus, with its vocabulary and the names of its labels."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from service.arguments import whole_number
from training.data.concepts import concept_table
from training.data.corpus import CorpusError, corpus_sizes, describe_corpus, make_corpus
from training.data.pictures.glyphs import FontMissingError
from training.data.sounds.speech import SpeakerMissingError
from training.data.splits import SPLITS
from training.data.vocabulary import write_vocabulary


def main() -> int:
    """Make the corpus; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.data", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=whole_number(0), default=0, help="whole number (default 0)")
    parser.add_argument("--train-share", type=_share, default=1.0, help="share of the training examples to make")
    parser.add_argument("--held-out-share", type=_share, default=1.0, help="the same of validation and test")
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=SPLITS, help="make only these (default: all)")
    parser.add_argument("--workers", type=whole_number(1), default=os.cpu_count() or 1)
    args = parser.parse_args()
    try:
        _make(args)
    except (FontMissingError, SpeakerMissingError, CorpusError, OSError) as error:
        print(f"python -m training.data: {error}", file=sys.stderr)
        return 1
    return 0


def _make(args: argparse.Namespace) -> None:
    sizes = corpus_sizes(args.train_share, args.held_out_share)
    wanted = {split: sizes[split] for split in args.splits}
    args.folder.mkdir(parents=True, exist_ok=True)
    describe_corpus(args.folder, args.seed, wanted)
    write_vocabulary(args.folder / "bpe")
    names = (thing.name for thing in concept_table().things)
    (args.folder / "audio_labels.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    make_corpus(args.folder, args.seed, wanted, args.workers)


def _share(value: str) -> float:
    share = float(value)
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1")
    return share


if __name__ == "__main__":
    sys.exit(main())
