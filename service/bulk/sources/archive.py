"""Members of tar archives, as WebDataset writes them: `<key>.<extension>`, one archive after the other."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from service.bulk.entry import UNREADABLE, UNSUPPORTED, Entry, Failure, shown, unreadable
from service.bulk.errors import SourceError
from service.bulk.sources.files import MAGIC, check_match, match
from service.bulk.sources.protocol import Stamp

BRACES = re.compile(r"\{([^{}]*)\}")
RANGE = re.compile(r"(\d+)\.\.(\d+)")
LABELS = frozenset({"json", "jsonl", "cls", "cls2", "id", "index", "inx", "npy", "npz", "pth", "pyd", "pkl", "pickle"})
"""Extensions that WebDataset gives to labels and tensors: such members are no rows."""


class Archives:
    """One row for each picture, sound, text or unknown thing in the archives; the id is the sample's key.

    Raises (on creation):
        SourceError: a range runs backwards, nothing matches, or a folder in which to look is not there.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.options: Mapping[str, str | None] = {"kind": "tar", "source": os.path.abspath(pattern)}
        for path in expand_braces(pattern):
            if _is_pattern(path):
                check_match(path)

    def files(self) -> Iterator[Stamp]:
        """As `Source.files`: the archives."""
        for path in expand_braces(self._pattern):
            if _is_pattern(path):
                yield from match(path)
            else:
                yield Stamp.of_file(path)

    def entries(self, files: Iterable[Stamp]) -> Iterator[Entry]:
        """As `Source.entries`. A broken archive gives a row with an error, and the next one has its turn."""
        row = 0
        for stamp in files:
            for entry in _members(stamp, row):
                yield entry
                row += 1

    def count(self, files: Iterable[Stamp]) -> int | None:  # noqa: ARG002
        """As `Source.count`: only reading tells."""
        return None


def _is_pattern(path: str) -> bool:
    return MAGIC.search(path) is not None and not os.path.exists(path)


def _members(stamp: Stamp, row: int) -> Iterator[Entry]:
    where = shown(stamp.path)
    fault = stamp.fault
    if fault is None:
        try:
            with tarfile.open(stamp.path, "r:") as archive:
                while (member := archive.next()) is not None:
                    archive.members.clear()  # type: ignore[attr-defined]  # it would keep all it has seen
                    if not 0 <= member.size <= stamp.size:  # going on from there, one might never end
                        raise tarfile.ReadError("the archive is damaged")
                    if (entry := _entry(stamp.path, member, row)) is not None:
                        yield entry
                        row += 1
                fault = None if _ends_well(archive) else "the archive is damaged or cut off behind its last row here"
        except tarfile.TarError as error:
            fault = f"can't be read: {error or 'the archive is damaged'}; plain tar archives are accepted"
        except OSError as error:
            fault = unreadable(error).detail
    if fault is not None:
        yield Entry(row, where, where, failure=Failure(UNREADABLE, fault))


def _entry(archive: str, member: tarfile.TarInfo, row: int) -> Entry | None:
    key, extension = split_key(member.name)
    if not member.isreg() or extension in LABELS or os.path.basename(member.name).startswith("."):
        return None
    path = shown(f"{archive}/{member.name}")
    if member.issparse():
        return Entry(row, shown(key), path, failure=Failure(UNSUPPORTED, "sparse members of archives are not accepted"))
    return Entry(row, shown(key), path, file=archive, offset=member.offset_data, size=member.size)


def _ends_well(archive: tarfile.TarFile) -> bool:
    """Whether the end mark was reached: `tarfile` takes a broken header for the end, too."""
    file: Any = archive.fileobj
    file.seek(archive.offset)
    block = file.read(tarfile.BLOCKSIZE)
    return bool(block) and not any(block)


def split_key(name: str) -> tuple[str, str]:
    """WebDataset's key and extension, which is in small letters: `a/b.seg.PNG` is `a/b` and `seg.png`."""
    folder, _, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return (f"{folder}/{stem}" if folder else stem), extension.lower()


def expand_braces(pattern: str) -> Iterator[str]:
    """`s-{000..002}.tar` and `{a,b}.tar`, as a shell expands them.

    Raises:
        SourceError: a range that runs backwards.
    """
    found = BRACES.search(pattern)
    if found is None:
        yield pattern
        return
    if bounds := RANGE.fullmatch(found[1]):
        first, last = int(bounds[1]), int(bounds[2])
        if last < first:
            raise SourceError(f"the range {found[0]} runs backwards")
        width = len(bounds[1]) if bounds[1].startswith("0") else 0
        choices: Iterable[str] = (f"{number:0{width}d}" for number in range(first, last + 1))
    else:
        choices = found[1].split(",")
    for choice in choices:
        yield from expand_braces(pattern[: found.start()] + choice + pattern[found.end() :])
