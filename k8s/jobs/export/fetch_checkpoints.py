"""Fetches the files of a list that are not there yet, and refuses each that has not the digest of the list.

python fetch_checkpoints.py LIST FOLDER

Exit code: 0 when every file is there and right, 1 otherwise. The standard library alone: the export image has it.
"""

from __future__ import annotations

import hashlib
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CHUNK_BYTES = 8 * 1024 * 1024
TIMEOUT_S = 60.0
UNKNOWN = "unknown"


class Wanted(NamedTuple):
    """One line of the list: a SHA-256 in hexadecimal or `unknown`, a path below the folder, and where to fetch it."""

    digest: str
    path: str
    url: str


def read_list(text: str) -> Iterator[Wanted]:
    """The lines that are neither empty nor comments."""
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            yield Wanted(*line.split())


def fetch(wanted: Wanted, folder: Path) -> str:
    """Have the file in the folder and give its SHA-256. A part that an earlier try left is gone on with.

    Raises:
        OSError: it can't be fetched or written.
    """
    target = folder / wanted.path
    if not target.is_file():
        part = target.with_name(target.name + ".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        have = part.stat().st_size if part.is_file() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        request = urllib.request.Request(wanted.url, headers=headers)  # noqa: S310 (the list is the operator's own)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            goes_on = answer.status == 206  # 200: the whole file from its start
            with part.open("ab" if goes_on else "wb") as file:
                while chunk := answer.read(CHUNK_BYTES):
                    file.write(chunk)
        part.rename(target)
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(list_path: Path, folder: Path) -> int:
    """Fetch everything that the list names."""
    code = 0
    for wanted in read_list(list_path.read_text(encoding="utf-8")):
        try:
            found = fetch(wanted, folder)
        except OSError as error:
            print(f"{wanted.path}: {error}", file=sys.stderr)
            code = 1
            continue
        if found == wanted.digest:
            print(f"{wanted.path}: right")
            continue
        code = 1
        print(f"{wanted.path}: has the SHA-256 {found}, the list says {wanted.digest}", file=sys.stderr)
        if wanted.digest != UNKNOWN:
            (folder / wanted.path).unlink()
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
