"""HTTP/2 frames as bytes (RFC 9113), for callers of a kind that no library makes: they open a stream and reset it."""

from __future__ import annotations

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS = 0, 1, 3, 4
END_STREAM, END_HEADERS = 1, 4
CANCEL = 8
POST, HTTP = b"\x83", b"\x86"  # entries of HPACK's static table (RFC 7541, appendix A)
PATH, AUTHORITY, CONTENT_TYPE = b"\x04", b"\x01", b"\x0f\x10"  # names of the same table, values follow; not indexed


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame; `stream` 0 is the connection."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def greeting() -> bytes:
    """What a client says first."""
    return PREFACE + frame(SETTINGS, 0, 0, b"")


def call_and_reset(stream: int, path: str, message: bytes) -> bytes:
    """A whole gRPC call on a new stream (an odd number, larger than all before), cancelled behind its last byte."""
    headers = POST + HTTP + PATH + _text(path) + AUTHORITY + _text("a") + CONTENT_TYPE + _text("application/grpc")
    headers += b"\x00" + _text("te") + _text("trailers")
    body = b"\x00" + len(message).to_bytes(4, "big") + message
    call = frame(HEADERS, END_HEADERS, stream, headers) + frame(DATA, END_STREAM, stream, body)
    return call + frame(RST_STREAM, 0, stream, CANCEL.to_bytes(4, "big"))


def _text(value: str) -> bytes:
    return bytes((len(value),)) + value.encode()  # shorter than 127, not Huffman-coded
