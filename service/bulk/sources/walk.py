"""All files below a folder, sorted, without hidden ones; loops of symbolic links end."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from service.bulk.entry import NOT_REGULAR, unreadable
from service.bulk.sources.protocol import Stamp

MAX_DEPTH = 256

Place = tuple[int, int]
"""Device and inode of a folder."""


def walk(root: str, *, depth: int = MAX_DEPTH, left_out: frozenset[str] = frozenset()) -> Iterator[Stamp]:
    """Files below `root` in the order of their names, folder by folder; memory grows with one folder's entries only.

    A folder or file that can't be read is a stamp with a fault, and so are pipes, sockets and devices. Links to folders
    are followed, but not to one that one is in already, or that holds `root`. `left_out`: real paths of folders that
    are not entered.
    """
    return _walk(root, depth, left_out, _places_above(root))


def _walk(folder: str, depth: int, left_out: frozenset[str], above: tuple[Place, ...]) -> Iterator[Stamp]:
    try:
        status = os.stat(folder)
        place = (status.st_dev, status.st_ino)
        if place in above or (left_out and os.path.realpath(folder) in left_out):
            return
        with os.scandir(folder) as scan:
            names = sorted(entry.name for entry in scan if not entry.name.startswith("."))
    except OSError as error:
        yield Stamp(folder, fault=unreadable(error).detail)
        return
    for name in names:
        path = os.path.join(folder, name)
        try:
            found = os.stat(path)
        except OSError as error:
            yield Stamp(path, fault=unreadable(error).detail)
            continue
        if stat.S_ISDIR(found.st_mode):
            if depth > 1:
                yield from _walk(path, depth - 1, left_out, (*above, place))
        elif not stat.S_ISREG(found.st_mode):
            yield Stamp(path, fault=NOT_REGULAR)
        elif os.path.realpath(path) not in left_out:
            yield Stamp(path, found.st_size, found.st_mtime_ns)


def _places_above(root: str) -> tuple[Place, ...]:
    """The folders that hold `root`: a link from within to one of them would take in what nobody asked for."""
    places: list[Place] = []
    folder = os.path.realpath(root)
    while (parent := os.path.dirname(folder)) != folder:
        folder = parent
        try:
            status = os.stat(folder)
        except OSError:  # closed to us, and so to a link
            continue
        places.append((status.st_dev, status.st_ino))
    return tuple(places)
