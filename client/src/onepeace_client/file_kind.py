"""Which kind of thing a file holds, told from its first bytes alone: its name is not asked."""

from __future__ import annotations

from typing import Literal

Kind = Literal["text", "image", "audio"]
HEAD_BYTES = 32  # as many as the longest signature needs

_IMAGE_SIGNATURES = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",  # TIFF and BigTIFF, in either byte order
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
)
_AUDIO_SIGNATURES = (b"OggS", b"fLaC", b"ID3")


def media_kind(head: bytes) -> Literal["image", "audio"] | None:
    """`image` or `audio`, or None when `head`, a file's first `HEAD_BYTES`, begins neither.

    Only a guess where to send the file: the server's decoders look closer.
    """
    if head.startswith(_IMAGE_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "image"
    if head.startswith(_AUDIO_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WAVE"):
        return "audio"
    if head[:2] == b"BM" and head[15:18] == b"\0\0\0":
        return "image"
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:  # MPEG audio, layer III (ISO 11172-3, 2.4.2.3)
        return "audio"
    return None
