"""Our multipart reading against the standard library's and httpx's writing."""

from __future__ import annotations

import os

import httpx
import pytest

from service.errors import MalformedBody
from service.wire.multipart import parse_multipart


def test_fields_keep_their_order_and_every_byte() -> None:
    binary = os.urandom(100_000) + b"\r\n--" + os.urandom(100) + b"\r\n"
    parts = [("image", ("a.jpg", binary)), ("text", (None, "é\r\n")), ("image", ("b", b"")), ("text", (None, "x"))]
    request = httpx.Request("POST", "http://x/", files=parts)
    fields = parse_multipart(request.read(), request.headers["content-type"])
    assert [field.name for field in fields] == ["image", "text", "image", "text"]
    assert [field.content for field in fields] == [binary, "é\r\n".encode(), b"", b"x"]


def test_a_quoted_boundary_is_read() -> None:
    body = b'--a b\r\nContent-Disposition: form-data; name="text"\r\n\r\nhi\r\n--a b--\r\n'
    (field,) = parse_multipart(body, 'multipart/form-data; boundary="a b"')
    assert (field.name, field.content) == ("text", b"hi")


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; x=y"]
)
def test_no_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(MalformedBody):
        parse_multipart(b"--x--", content_type)


def test_every_cut_of_a_body_is_refused() -> None:
    request = httpx.Request("POST", "http://x/", files=[("text", (None, "hello")), ("image", ("x", b"123"))])
    body = request.read()
    end = body.rindex(b"--")
    for length in range(end):
        with pytest.raises(MalformedBody):
            parse_multipart(body[:length], request.headers["content-type"])
