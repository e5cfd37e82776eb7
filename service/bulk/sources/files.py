"""Sources whose rows are files: a folder, a pattern, a list on standard input."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO

from service.bulk.entry import UNREADABLE, Entry, Failure, shown
from service.bulk.errors import SourceError
from service.bulk.sources.protocol import Stamp
from service.bulk.sources.walk import MAX_DEPTH, walk

MAGIC = re.compile(r"[*?\[]")


class Files:
    """One row for each file. `root`: what ids leave out of the path."""

    def __init__(self, options: Mapping[str, str | None], root: str, find: Callable[[], Iterator[Stamp]]) -> None:
        self.options, self._root, self._find = options, root, find

    def files(self) -> Iterator[Stamp]:
        """As `Source.files`."""
        return self._find()

    def entries(self, files: Iterable[Stamp]) -> Iterator[Entry]:
        """As `Source.entries`."""
        for row, stamp in enumerate(files):
            failure = None if stamp.fault is None else Failure(UNREADABLE, stamp.fault)
            name = os.path.relpath(stamp.path, self._root) if self._root else stamp.path
            file = stamp.path if failure is None else None
            yield Entry(row, shown(name), shown(stamp.path), file=file, failure=failure, size=max(0, stamp.size))

    def count(self, files: Iterable[Stamp]) -> int | None:
        """As `Source.count`."""
        return sum(1 for _ in files)


def folder_source(path: str, left_out: frozenset[str]) -> Files:
    """All files below a folder."""
    options = {"kind": "folder", "source": os.path.abspath(path)}
    return Files(options, path, lambda: walk(path, left_out=left_out))


def glob_source(pattern: str, left_out: frozenset[str]) -> Files:
    """All files that match a pattern; `**` stands for any number of folders. Ids begin behind its fixed part.

    Raises:
        SourceError: nothing matches, or the folder in which to look is not there.
    """
    check_match(pattern, left_out)
    options = {"kind": "glob", "source": os.path.abspath(pattern)}
    return Files(options, fixed_part(pattern), lambda: match(pattern, left_out))


def list_source(lines: IO[bytes]) -> Files:
    """Paths, one a line, as the operating system has them; empty lines are passed over."""
    paths = (os.fsdecode(line.rstrip(b"\r\n")) for line in lines)
    return Files({"kind": "paths", "source": "-"}, "", lambda: (Stamp.of_file(path) for path in paths if path))


def file_source(path: str) -> Files:
    """One file."""
    return Files({"kind": "file", "source": os.path.abspath(path)}, os.path.dirname(path), lambda: _one(path))


def _one(path: str) -> Iterator[Stamp]:
    yield Stamp.of_file(path)


def match(pattern: str, left_out: frozenset[str] = frozenset()) -> Iterator[Stamp]:
    """Files that match, in the order of `walk`."""
    base = fixed_part(pattern) or os.curdir
    rest = pattern[len(fixed_part(pattern)) :].lstrip("/").split("/")
    depth = MAX_DEPTH if "**" in rest else len(rest)
    for stamp in walk(base, depth=depth, left_out=left_out):
        closed_folder = stamp.fault is not None and os.path.isdir(stamp.path)
        if closed_folder or _matches(os.path.relpath(stamp.path, base).split(os.sep), rest):
            yield stamp


def check_match(pattern: str, left_out: frozenset[str] = frozenset()) -> None:
    """Look for one file that matches.

    Raises:
        SourceError: there is none, or not even the folder in which to look.
    """
    base = fixed_part(pattern) or os.curdir
    if not os.path.isdir(base):
        raise SourceError(f"no folder '{shown(base)}'")
    if next(match(pattern, left_out), None) is None:
        raise SourceError(f"nothing matches '{shown(pattern)}'")


def fixed_part(pattern: str) -> str:
    """The folders in front of the first part with `*`, `?` or `[`."""
    found = MAGIC.search(pattern)
    return pattern[: found.start()].rpartition("/")[0] or ("/" if pattern.startswith("/") else "") if found else ""


def _matches(names: list[str], parts: list[str]) -> bool:
    if not parts:
        return not names
    if parts[0] == "**":
        return any(_matches(names[skipped:], parts[1:] or ["*"]) for skipped in range(len(names)))
    return bool(names) and fnmatch.fnmatchcase(names[0], parts[0]) and _matches(names[1:], parts[1:])
