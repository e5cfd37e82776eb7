"""`python -m export.standin`: make the stand-in checkpoints and export them to `model_repository/`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from export.cli import add_export_arguments, run_export
from export.standin.checkpoints import LABELS_FILE, write_checkpoints

REPOSITORY = Path("model_repository")


def main() -> int:
    """Write the checkpoints into a temporary folder and run `onepeace export` on them; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m export.standin", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=REPOSITORY, help=f"model repository to write (default {REPOSITORY})"
    )
    parser.add_argument("--checkpoints", type=Path, metavar="DIR", help="keep vocabulary and checkpoints here")
    parser.add_argument("--seed", type=int, default=0, help="of the random weights (default 0)")
    args = parser.parse_args()
    if args.checkpoints is not None:
        return _export(args.checkpoints, args.out, args.seed)
    with TemporaryDirectory() as folder:
        return _export(Path(folder), args.out, args.seed)


def _export(folder: Path, out: Path, seed: int) -> int:
    files = write_checkpoints(folder, seed)
    flags = {
        "--bpe-dir": files.bpe_dir,
        "--out": out,
        "--checkpoint": files.retrieval,
        "--grounding": files.grounding,
        "--audio-labels": files.audio_labels,
        "--labels": LABELS_FILE,
    }
    parser = argparse.ArgumentParser()
    add_export_arguments(parser)
    return run_export(parser.parse_args([str(part) for flag in flags.items() for part in flag]))


if __name__ == "__main__":
    sys.exit(main())
