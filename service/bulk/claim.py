"""A job takes its output folder: alone, cleared of what a killed run left half done, and never somebody else's."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from uuid import uuid4

from service.bulk.errors import StoreError
from service.bulk.record import FILES, NEW_FILES, NEW_RECORD, RECORD
from service.bulk.table import metadata_of, parts_of

JOURNAL, TEMPORARY = "_journal.jsonl", "_part.tmp"
RUN, DEAD = "_run-", "_dead-"
"""Folders in which the workers of one run write: without its name, a worker that outlived it can't finish a part."""


def claim(folder: Path, one_file: Path | None, *, restart: bool) -> int:
    """Make the folder ours until the descriptor that comes back is closed, or the process ends.

    Raises:
        StoreError: it is another job's, or no job's.
        OSError: it can't be written.
    """
    lock = _take(folder)
    try:
        if restart:
            _forget(folder, one_file)
        elif one_file is None:
            _refuse_strangers(folder)
        _clear(folder)
    except BaseException:
        release(folder, lock)
        raise
    return lock


def release(folder: Path, lock: int) -> None:
    """Give the folder back; one without files goes."""
    try:
        folder.rmdir()
    except OSError:  # there is something in it
        pass
    finally:
        os.close(lock)


def new_run(folder: Path) -> Path:
    """A folder for the workers of one run."""
    run = folder / f"{RUN}{uuid4().hex}"
    run.mkdir()
    return run


def retire_run(run: Path) -> None:
    """Remove a run's folder: first its name, at once, so that nobody who writes there can give a part its name."""
    dead = run.with_name(f"{DEAD}{uuid4().hex}")
    run.rename(dead)
    shutil.rmtree(dead, ignore_errors=True)


def _take(folder: Path) -> int:
    """Make the folder and lock it. A job that ends may remove it in between: then the lock is of nothing."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            _lock(lock, folder)
            if os.path.samestat(os.fstat(lock), os.stat(folder)):
                return lock
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def _lock(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StoreError(f"{folder} is being written by another job") from error
    except OSError:  # a file system without locks
        pass


def _refuse_strangers(folder: Path) -> None:
    if not (folder / RECORD).exists() and any(not path.name.startswith("_") for path in folder.iterdir()):
        raise StoreError(f"{folder} is not empty, and no job of this kind wrote it")


def _forget(folder: Path, one_file: Path | None) -> None:
    if one_file is None:
        _refuse_strangers(folder)
    elif one_file.exists():
        metadata_of(one_file)
        one_file.unlink()
    for path in [*parts_of(folder), *(folder / name for name in (JOURNAL, RECORD, FILES))]:
        path.unlink(missing_ok=True)


def _clear(folder: Path) -> None:
    for name in (NEW_RECORD, NEW_FILES, TEMPORARY):
        (folder / name).unlink(missing_ok=True)
    for run in folder.glob(f"{RUN}*"):
        retire_run(run)
    for dead in folder.glob(f"{DEAD}*"):
        shutil.rmtree(dead, ignore_errors=True)
