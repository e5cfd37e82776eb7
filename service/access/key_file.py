"""The key file: TOML, one table for each key.

    [keys.search]
    sha256 = "…"                                   # `onepeace keys new` prints it; a list while a key is replaced
    scopes = ["embed", "similarity"]
    expires = 2027-06-30                           # refused from then on; a date is midnight UTC
    requests = { per_second = 50, burst = 100 }
    items = { per_second = 500, burst = 1000 }

Only `sha256` and `scopes` must be there.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from service.access.bucket import Rate
from service.access.scopes import Scope
from service.access.tokens import PREFIX
from service.regular_file import read_regular

NAME = r"[a-z0-9][a-z0-9_-]{0,62}"
"""Names stand in logs and as label of a metric."""
VALUE_ERROR = "Value error, "  # pydantic puts this before the words of a validator
Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]


class KeyFileError(Exception):
    """A key file can't be used; the message says why, and never holds a key."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a key file says of one key. `expires_s` is Unix time."""

    name: str
    digests: tuple[bytes, ...]
    scopes: frozenset[Scope]
    expires_s: float = math.inf
    requests: Rate | None = None
    items: Rate | None = None


def _written_as_time(value: object) -> object:
    """Pydantic takes words and numbers, too, and has no offset for them."""
    if not isinstance(value, date):
        raise ValueError("must be a date or a time of TOML, without quotes: 2027-06-30 or 2027-06-30T12:00:00Z")
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class _Rate(_Strict):
    per_second: float = Field(gt=0, le=1e6, allow_inf_nan=False)
    burst: float | None = Field(None, ge=1, le=1e9, allow_inf_nan=False)

    def rate(self) -> Rate:
        return Rate(self.per_second, max(1.0, self.per_second) if self.burst is None else self.burst)


class _Key(_Strict):
    sha256: str | list[str] = Field(min_length=1)
    scopes: list[Scope] = Field(min_length=1)
    expires: Annotated[datetime | date | None, BeforeValidator(_written_as_time)] = None
    requests: _Rate | None = None
    items: _Rate | None = None


class _File(_Strict):
    keys: dict[Name, _Key]


def read_keys(path: Path) -> tuple[Key, ...]:
    """All keys of a file. A file with an empty table `[keys]` lets nobody in.

    Raises:
        KeyFileError: it is not there, or anything in it is wrong.
    """
    try:
        data = read_regular(path)
    except OSError as error:
        raise KeyFileError(f"can't read {path}: {error.strerror}") from error
    try:
        given = _File.model_validate(tomllib.loads(data.decode()))
    except UnicodeDecodeError:
        raise KeyFileError(f"{path}: not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise KeyFileError(f"{path}: no TOML: {_place(error)}") from None
    except ValidationError as error:
        wrong = "; ".join(
            f"{_field(item['loc'])}: {item['msg'].removeprefix(VALUE_ERROR)}" for item in error.errors()[:5]
        )
        raise KeyFileError(f"{path}: {wrong}") from None
    keys = tuple(_key(path, name, entry) for name, entry in given.keys.items())
    digests = [digest for key in keys for digest in key.digests]
    if len(set(digests)) != len(digests):
        raise KeyFileError(f"{path}: the same sha256 stands there twice")
    return keys


def _field(place: tuple[int | str, ...]) -> str:
    """As it is written; below other fields stand pydantic's own words for their types."""
    return ".".join(map(str, place[: 4 if place[2:3] in (("requests",), ("items",)) else 3]))


def _place(error: tomllib.TOMLDecodeError) -> str:
    """The parser's words, which name a line and at most one character of the file."""
    return str(error)


def _key(path: Path, name: str, entry: _Key) -> Key:
    given = [entry.sha256] if isinstance(entry.sha256, str) else entry.sha256
    return Key(
        name,
        tuple(_digest(path, name, text) for text in given),
        frozenset(entry.scopes),
        _expiry_s(path, name, entry.expires),
        entry.requests.rate() if entry.requests else None,
        entry.items.rate() if entry.items else None,
    )


def _digest(path: Path, name: str, text: str) -> bytes:
    if text.startswith(PREFIX):
        raise KeyFileError(f"{path}: keys.{name}.sha256 is a key itself: put its SHA-256 there, and replace the key")
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != 32 or len(text) != 64:
        raise KeyFileError(f"{path}: keys.{name}.sha256 must be 64 hexadecimal digits")
    return digest


def _expiry_s(path: Path, name: str, given: datetime | date | None) -> float:
    if given is None:
        return math.inf
    if not isinstance(given, datetime):
        given = datetime(given.year, given.month, given.day, tzinfo=UTC)
    if given.tzinfo is None:
        raise KeyFileError(f"{path}: keys.{name}.expires needs an offset, such as Z")
    return given.timestamp()
