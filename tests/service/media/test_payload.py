"""Base64 and data URIs, and URLs told from them."""

from __future__ import annotations

import base64

import pytest

from service.errors import InvalidBase64, UrlUnreachable
from service.media.payload import is_url, read_payload

DATA = bytes(range(256)) * 3
ENCODED = base64.b64encode(DATA).decode()


def test_bytes_pass_as_they_are() -> None:
    assert read_payload(DATA) is DATA


@pytest.mark.parametrize(
    "text",
    [
        ENCODED,
        base64.encodebytes(DATA).decode(),
        f"data:image/png;base64,{ENCODED}",
        f"DATA:;BASE64,{ENCODED}",
        f"data:audio/ogg;codecs=opus;base64,{ENCODED}",
    ],
    ids=["plain", "lines", "data URI", "upper case", "parameters"],
)
def test_every_spelling_of_the_same_bytes_is_read(text: str) -> None:
    assert read_payload(text) == DATA


@pytest.mark.parametrize(
    "text",
    [ENCODED[:-1], ENCODED + "=", "%%%", "é" * 8, "data:image/png," + ENCODED, "data:image/png;base64", "a\0bc"],
    ids=["cut", "overpadded", "symbols", "not ASCII", "data URI not base64", "data URI without data", "NUL"],
)
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(InvalidBase64):
        read_payload(text)


def test_the_empty_string_is_an_empty_file() -> None:
    assert read_payload("") == b""


def test_a_file_that_could_not_be_fetched_raises_its_error() -> None:
    error = UrlUnreachable("gone")
    with pytest.raises(UrlUnreachable) as caught:
        read_payload(error)
    assert caught.value is error


def test_urls_are_told_from_base64_and_bytes() -> None:
    assert all(map(is_url, ["https://x", "HTTP://x", "hTTps://"]))
    assert not any(map(is_url, ["", "https", "https:x", "data:,https://", ENCODED, b"https://x", " https://x"]))
