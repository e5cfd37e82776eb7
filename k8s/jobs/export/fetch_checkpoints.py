"""Fetches the files of a list that are not there yet, and refuses each that has not the digest of the list.

python fetch_checkpoints.py LIST FOLDER

Exit code: 0 when every file is there and right; 1 otherwise, and when the list is malformed or names no file. The
standard library alone: the export image has it.
"""

from __future__ import annotations

import hashlib
import re
import sys
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NamedTuple

CHUNK_BYTES = 8 * 1024 * 1024
TIMEOUT_S = 60.0
UNKNOWN = "unknown"
PARTIAL, RANGE_NOT_SATISFIABLE = 206, 416


class Wanted(NamedTuple):
    """One line of the list: a SHA-256 in small hexadecimal or `unknown`, a path below the folder, where to fetch it."""

    digest: str
    path: str
    url: str


def read_list(text: str) -> list[Wanted]:
    """The lines that are neither empty nor comments.

    Raises:
        ValueError: a line is malformed, or there is none.
    """
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), start=1)]
    found = [read_line(number, words) for number, words in lines if words and not words[0].startswith("#")]
    if not found:
        raise ValueError("names no file")
    return found


def read_line(number: int, words: list[str]) -> Wanted:
    """Capitals in the digest are right, too: PowerShell's Get-FileHash writes them.

    Raises:
        ValueError: it is malformed.
    """
    if len(words) != 3:
        raise ValueError(f"line {number}: wants a digest, a path and a URL, has {len(words)} words")
    wanted = Wanted(words[0].lower(), words[1], words[2])
    if wanted.digest != UNKNOWN and not re.fullmatch("[0-9a-f]{64}", wanted.digest):
        raise ValueError(f"line {number}: {words[0]!r} is neither a SHA-256 nor {UNKNOWN!r}")
    if not wanted.url.startswith(("https://", "http://")):
        raise ValueError(f"line {number}: {wanted.url!r} is no URL of HTTP")
    return wanted


def fetch(wanted: Wanted, folder: Path) -> str:
    """Have the file in the folder and give its SHA-256. A part that an earlier try left is gone on with.

    Raises:
        OSError, HTTPException, ValueError: it can't be fetched as a whole or written.
    """
    target = folder / wanted.path
    if not target.is_file():
        part = target.with_name(target.name + ".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        if not (part.is_file() and read_digest(part) == wanted.digest):
            fetch_rest(wanted.url, part)
        part.rename(target)
    return read_digest(target)


def fetch_rest(url: str, part: Path) -> None:
    """Fetch what the part lacks.

    Raises:
        OSError: it can't be fetched or written, or the connection ended before the whole had come.
        HTTPException: the answer is no HTTP, or ends within a chunk.
        ValueError: the URL or the answer's length is malformed.
    """
    have = part.stat().st_size if part.is_file() else 0
    try:
        answer = ask(url, have)
    except urllib.error.HTTPError as error:
        if error.code != RANGE_NOT_SATISFIABLE or not have:
            raise
        error.close()
        answer = ask(url, 0)  # the part is as long as the file, or longer, and is not what the list says
    with answer:
        goes_on = answer.status == PARTIAL  # 200: the whole file from its start
        missing = int(answer.headers["Content-Length"] or 0)
        with part.open("ab" if goes_on else "wb") as file:
            while chunk := answer.read(CHUNK_BYTES):
                missing -= file.write(chunk)
    if missing > 0:
        raise OSError(f"{missing} bytes did not come; the next try goes on from here")


def ask(url: str, start: int) -> HTTPResponse:
    """The answer to a GET for the bytes from a place on."""
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (the list is the operator's own)
    answer: HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310
    return answer


def read_digest(path: Path) -> str:
    """Its SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(list_path: Path, folder: Path) -> int:
    """Fetch everything that the list names."""
    try:
        listed = read_list(list_path.read_text(encoding="utf-8"))
    except ValueError as error:
        print(f"{list_path}: {error}", file=sys.stderr)
        return 1
    code = 0
    for wanted in listed:
        try:
            found = fetch(wanted, folder)
        except (OSError, HTTPException, ValueError) as error:
            print(f"{wanted.path}: {error!r}", file=sys.stderr)
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
