"""What a key file may hold, and what is said of one that can't be used."""

from __future__ import annotations

import hashlib
import math
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.access.bucket import Rate
from service.access.key_file import KeyFileError, read_keys
from service.access.scopes import Scope
from tests.service.access.known_keys import table, token_of

HASH = hashlib.sha256(b"x").hexdigest()


def read(tmp_path: Path, text: str | bytes) -> tuple[object, ...]:
    path = tmp_path / "keys.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_keys(path)


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    limits = "expires = 2027-06-30\nrequests = { per_second = 50, burst = 100 }\nitems = { per_second = 0.5 }"
    path = tmp_path / "keys.toml"
    path.write_text(table("a", "a", '["embed", "metrics"]', limits) + table("b-2", "b"))
    first, second = read_keys(path)
    assert first.digests == (hashlib.sha256(token_of("a").encode()).digest(),)
    assert first.scopes == {Scope.EMBED, Scope.METRICS}
    assert first.expires_s == datetime(2027, 6, 30, tzinfo=UTC).timestamp()
    assert (first.requests, first.items) == (Rate(50, 100), Rate(0.5, 1.0))
    assert (second.name, second.expires_s, second.requests, second.items) == ("b-2", math.inf, None, None)


def test_a_key_may_have_two_hashes_while_it_is_replaced(tmp_path: Path) -> None:
    other = hashlib.sha256(b"y").hexdigest()
    (key,) = read(tmp_path, f'[keys.a]\nsha256 = ["{HASH}", "{other}"]\nscopes = ["embed"]')
    assert [digest.hex() for digest in key.digests] == [HASH, other]  # type: ignore[attr-defined]


def test_an_empty_table_lets_nobody_in_and_an_empty_file_is_broken(tmp_path: Path) -> None:
    assert read(tmp_path, "[keys]\n") == ()
    with pytest.raises(KeyFileError, match="keys: Field required"):
        read(tmp_path, "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[keys.a", "no TOML"),
        (b"\xff\xfe", "not UTF-8"),
        ("keys = 3", "keys: "),
        ('[keys.a]\nscopes = ["embed"]', "keys.a.sha256: Field required"),
        (f'[keys.a]\nsha256 = "{HASH}"', "keys.a.scopes: Field required"),
        (f'[keys.a]\nsha256 = "{HASH}"\nscopes = []', "keys.a.scopes: "),
        (f'[keys.a]\nsha256 = "{HASH}"\nscopes = ["fly"]', "keys.a.scopes: "),
        (f'[keys.a]\nsha256 = "{HASH}"\nscopes = ["embed"]\nscope = "x"', "keys.a.scope: "),
        ('[keys.a]\nsha256 = "abc"\nscopes = ["embed"]', "keys.a.sha256 must be 64 hexadecimal digits"),
        (f'[keys.a]\nsha256 = "{HASH[:-2]} 0"\nscopes = ["embed"]', "keys.a.sha256 must be 64 hexadecimal digits"),
        ('[keys.a]\nsha256 = []\nscopes = ["embed"]', "keys.a.sha256: "),
        (f'[keys.A]\nsha256 = "{HASH}"\nscopes = ["embed"]', "keys.A"),
        (f'[keys."a\\nb"]\nsha256 = "{HASH}"\nscopes = ["embed"]', "keys.a"),
        (f'[keys.a]\nsha256 = "{HASH}"\nscopes = ["embed"]\n' * 2, "no TOML"),
        (f'[keys.a]\nsha256 = ["{HASH}", "{HASH.upper()}"]\nscopes = ["embed"]', "twice"),
        (f'[keys.a]\nsha256 = "{HASH}"\nscopes = ["embed"]\nexpires = 2027-01-01T00:00:00', "needs an offset"),
        (f'[keys.a]\nsha256 = "{HASH}"\nscopes = ["embed"]\nexpires = "2027-01-01"', "keys.a.expires: must be a date"),
        (f'[keys.a]\nsha256 = "{HASH}"\nscopes = ["embed"]\nexpires = 1900000000', "keys.a.expires: must be a date"),
        (f'[keys.a]\nsha256 = "{HASH}"\nscopes = ["embed"]\nitems = {{ per_second = 0 }}', "keys.a.items.per_second: "),
        (
            f'[keys.a]\nsha256 = "{HASH}"\nscopes = ["embed"]\nitems = {{ per_second = nan }}',
            "keys.a.items.per_second: ",
        ),
        (
            f'[keys.a]\nsha256 = "{HASH}"\nscopes = ["embed"]\nrequests = {{ per_second = inf }}',
            "keys.a.requests.per_second: ",
        ),
        (
            f'[keys.a]\nsha256 = "{HASH}"\nscopes = ["embed"]\nitems = {{ per_second = 1, burst = 0.5 }}',
            "keys.a.items.burst: ",
        ),
        ("#" * (4 * 1024 * 1024 + 1), "more than"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(KeyFileError) as caught:
        read(tmp_path, text)
    assert words in str(caught.value)


def test_a_key_in_the_place_of_its_hash_is_refused_and_not_repeated(tmp_path: Path) -> None:
    for text in (
        f'[keys.a]\nsha256 = "{token_of("s")}"\nscopes = ["embed"]',
        f'[keys.a]\nsha256 = "{HASH}"\nscopes = ["{token_of("s")}"]',
        f'[keys.a]\nkey = "{token_of("s")}"\nscopes = ["embed"]',
    ):
        with pytest.raises(KeyFileError) as caught:
            read(tmp_path, text)
        assert "sss" not in str(caught.value)


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"can't read .*nowhere\.toml: No such file"):
        read_keys(tmp_path / "nowhere.toml")
    with pytest.raises(KeyFileError, match=r"can't read .*: not a regular file"):
        read_keys(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(KeyFileError, match=r"can't read .*pipe: not a regular file"):
        read_keys(tmp_path / "pipe")
