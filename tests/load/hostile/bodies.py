"""Bodies that cost more to read than to send: deep, wide, compressed, or made of thousands of parts and headers."""

from __future__ import annotations

import base64
import gzip
import random
from dataclasses import dataclass
from functools import cache

PATHS = ("/embed", "/similarity", "/classify", "/ground", "/audio/labels", "/v1/embeddings")
FORM_PATHS = PATHS[:-1]
JSON = "application/json"
FORM = "multipart/form-data; boundary=b"
LAST = b"--b--\r\n"


@dataclass(frozen=True, slots=True)
class Body:
    """A POST of any bytes."""

    path: str
    content_type: str
    data: bytes
    encoding: str = ""


def deep_json(source: random.Random) -> Body:
    """Lists or objects within each other."""
    depth = source.choice((100, 1_000, 1_025, 100_000, 500_000))
    opening, closing = source.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'{"parts":[', b"]}")))
    inner = opening * depth + b"1" + closing * source.choice((0, depth))
    return Body(source.choice(PATHS), JSON, b'{"inputs": ' + inner + b"}")


def wide_json(source: random.Random) -> Body:
    """Hundreds of thousands of values, items, fields or digits."""
    count = source.choice((1_000, 100_000, 300_000))
    body = source.choice(
        (
            b'{"inputs": [' + b"1," * count + b"1]}",
            b'{"inputs": [' + b"{}," * count + b"{}]}",
            b'{"inputs": [{"embedding": [' + b"1e308," * count + b"1]}]}",
            b'{"inputs": [{"text": "' + rb"\u0000" * (count // 2) + b'"}]}',
            b"{" + b",".join(b'"%d": 1' % number for number in range(count // 4)) + b"}",
            b'{"inputs": ' + b"9" * count + b"}",
            b'{"inputs": [{"text": "a"}], "dimensions": -1' + b"0" * count + b"}",
        )
    )
    return Body(source.choice(PATHS), JSON, body)


def odd_json(source: random.Random) -> Body:
    """Not quite JSON, or not quite UTF-8."""
    body = source.choice(
        (
            b"",
            b"\xef\xbb\xbf{}",
            '{"inputs": [{"text": "a"}]}'.encode("utf-16"),
            b'{"inputs": [{"text": "\xff\xfe"}]}',
            rb'{"inputs": [{"text": "\ud800"}]}',
            b'{"inputs": [{"text": "a"}], "inputs": [{"text": "b"}]}',
            b'{"inputs": NaN}',
            b'{"inputs": [{"embedding": [1e999]}]}',
            b"null" + b" " * 1_000_000,
            source.randbytes(1000),
        )
    )
    return Body(source.choice(PATHS), JSON, body)


@cache
def packed_spaces() -> bytes:
    """64 MB of blanks as 64 kB."""
    return gzip.compress(b" " * (64 << 20))


def packed_body(source: random.Random) -> Body:
    """A compressed body, which the service does not unpack."""
    return Body(
        source.choice(PATHS), source.choice((JSON, FORM)), packed_spaces(), source.choice(("gzip", "deflate", "br"))
    )


def odd_base64(source: random.Random) -> Body:
    """Payloads of padding, blanks, or a data URI with an endless head."""
    payload = source.choice(
        (
            b"=" * 100_000,
            b" " * 500_000 + b"AAAA",
            b"AAAA\\n" * 100_000,
            b"data:" + b"a" * 500_000 + b";base64,AAAA",
            b"data:image/png;base64," * 20_000,
            base64.b64encode(source.randbytes(100_000)),
        )
    )
    kind = source.choice((b"image", b"audio"))
    return Body("/embed", JSON, b'{"inputs": [{"' + kind + b'": "' + payload + b'"}]}')


def part(name: bytes, content: bytes, headers: bytes = b"") -> bytes:
    """One field of a form."""
    return b'--b\r\nContent-Disposition: form-data; name="' + name + b'"\r\n' + headers + b"\r\n" + content + b"\r\n"


def many_fields(source: random.Random) -> Body:
    name = source.choice((b"text", b"image", b"label", b"unknown", b"", b"\xff"))
    return Body(source.choice(FORM_PATHS), FORM, part(name, b"a") * source.choice((300, 5_000, 19_999, 25_000)) + LAST)


def many_headers(source: random.Random) -> Body:
    """Thousands of headers in one part, or one that is long."""
    headers = source.choice(
        (
            b"X-Header: value\r\n" * source.choice((100, 5_000, 60_000)),
            b"X: " + b"a" * source.choice((8_000, 9_000, 900_000)) + b"\r\n",
            b"X" * source.choice((8_000, 900_000)) + b": a\r\n",
            b"Content-Disposition: form-data; " + b"a=b; " * 1_500 + b"\r\n",
            b'Content-Disposition: form-data; name="' + b'\\"' * 4_000 + b'"\r\n',
            b"Content-Disposition: form-data; name*=utf-8''%ff%00; filename*0=a; filename*1=b\r\n",
        )
    )
    return Body(source.choice(FORM_PATHS), FORM, part(b"text", b"a", headers) + LAST)


def nested_form(source: random.Random) -> Body:
    """Forms within forms."""
    content = b"a"
    for depth in range(source.choice((10, 1_000, 4_000))):
        boundary = b"%d" % depth
        content = b"--%b\r\nContent-Type: multipart/mixed; boundary=%b\r\n\r\n%b\r\n--%b--" % (
            boundary,
            boundary,
            content,
            boundary,
        )
        if len(content) > 500_000:
            break
    return Body("/embed", FORM, part(b"text", content, b"Content-Type: multipart/mixed; boundary=0\r\n") + LAST)


def odd_form(source: random.Random) -> Body:
    """Broken framing, and text that nearly is a boundary."""
    good = part(b"text", b"a cow")
    body = source.choice(
        (
            b"",
            LAST,
            good,
            good.replace(b"\r\n", b"\n") + LAST,
            b"\r\n" * 300_000 + good + LAST,
            part(b"text", b"\r\n--" * 200_000) + LAST,
            part(b"text", b"\r\n--b" * 200_000) + LAST,
            part(b"image", b"\r" * 900_000) + LAST,
            good + LAST + source.randbytes(100_000),
            b"--b\r\n\r\nno name\r\n" + LAST,
            b"--b\r\n: \r\n\r\n" + LAST,
            source.randbytes(10_000),
        )
    )
    boundaries = ("b", "", '"', "b" * 70, "b" * 8_000, "\x7f", '"b\\"', "b; boundary=c")
    boundary = "b" if source.random() < 0.7 else source.choice(boundaries)
    return Body(source.choice(FORM_PATHS), f"multipart/form-data; boundary={boundary}", body)


BODIES = (
    deep_json,
    wide_json,
    odd_json,
    packed_body,
    odd_base64,
    many_fields,
    many_headers,
    nested_form,
    odd_form,
)
