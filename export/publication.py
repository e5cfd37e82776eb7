"""How finished models take their places in a repository: built beside them, then renamed, all or none."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staging_folder(out_dir: Path) -> Iterator[Path]:
    """Give a folder beside the models that is removed whatever happens."""
    staging = Path(tempfile.mkdtemp(prefix=".export-", dir=out_dir))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def publish(staging: Path, out_dir: Path, names: Iterable[str]) -> None:
    """Move finished models to their places and older ones into `staging`; if one move fails, take all back.

    Every move is a rename within one filesystem. A model is absent between the two renames that replace it.
    """
    begun: list[tuple[str, bool]] = []
    try:
        for name in names:
            replaces = (out_dir / name).exists()
            begun.append((name, replaces))
            if replaces:
                (out_dir / name).rename(staging / f"{name}.old")
            (staging / name).rename(out_dir / name)
    except BaseException:  # an interruption, too
        for name, replaces in reversed(begun):
            if not (staging / name).exists():
                (out_dir / name).rename(staging / name)
            if replaces and (staging / f"{name}.old").exists():
                (staging / f"{name}.old").rename(out_dir / name)
        raise
