"""Which picture format some bytes hold, its size, and a lean copy of it that is safe to hand to a decoder.

Decoders read far more of a file than its pixels: text, colour profiles, nested tag directories. Each of these can be
made to cost gigabytes or minutes. So PNG, GIF and TIFF files are rewritten to what the first picture needs, and every
size is read here, before a decoder may allocate anything.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from service.errors import UnreadableImage

Format = Literal["JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF"]
ACCEPTED = "JPEG, PNG, WebP, GIF, BMP and TIFF are accepted"

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})  # alpha is dropped, so tRNS goes
GIF_EXTENSION, GIF_GRAPHIC_CONTROL, GIF_IMAGE = 0x21, 0xF9, 0x2C
BMP_RUN_LENGTH_CODES = (1, 2)
MAX_BLOCKS = 131_072  # chunks or sub-blocks walked in one file: 33 MB of GIF comments, 1 GB of a usual PNG
MAX_RUN_LENGTH_BYTES = 1 << 20  # this decoder is slow: 0.2 s for a megabyte


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A picture whose header was read.

    Attributes:
        width, height: in pixels, as stored: the orientation is not yet applied.
        body: the file, with only what its first picture needs.
        orientation: EXIF orientation, 1 to 8.
        block_pixels: the largest tile that a decoder allocates beside the picture.
    """

    format: Format
    width: int
    height: int
    body: bytes
    orientation: int = 1
    block_pixels: int = 0


def damaged(format: Format, what: str = "damaged or cut off") -> UnreadableImage:  # noqa: A002
    """The error for a file of a known format that can't be decoded."""
    return UnreadableImage(f"the {format} file is {what}; {ACCEPTED}")


def sniff_format(data: bytes) -> Format | None:
    """Name the format of `data` by its first bytes, or None when it is none of the six."""
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == PNG_SIGNATURE:
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data[:2] == b"BM" and data[15:18] == b"\0\0\0" and data[14:15] in b"\x0c\x28\x34\x38\x40\x6c\x7c":
        return "BMP"
    return None


def read_png(data: bytes) -> tuple[ImageFile, bytes | None]:
    """Size and pixel chunks of a PNG (ISO 15948, 5.3), and its `eXIf` chunk. Text, profiles and animation go."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise damaged("PNG")
    width, height = struct.unpack_from(">II", data, 16)
    parts, exif, offset = [PNG_SIGNATURE], None, 8
    for _ in range(MAX_BLOCKS):
        if offset + 12 > len(data):
            break
        (length,) = struct.unpack_from(">I", data, offset)
        kind, end = data[offset + 4 : offset + 8], offset + 12 + length
        if end > len(data):
            raise damaged("PNG")
        if kind in PNG_PIXEL_CHUNKS:
            parts.append(data[offset:end])
        elif kind == b"eXIf":
            exif = data[offset + 8 : end - 4]
        elif kind[:1].isupper():  # a critical chunk that no decoder knows
            raise damaged("PNG", "damaged")
        if kind == b"IEND":
            break
        offset = end
    else:
        raise damaged("PNG", f"made of more than {MAX_BLOCKS} chunks")
    return ImageFile("PNG", width, height, b"".join(parts)), exif


def read_webp(data: bytes) -> tuple[ImageFile, bytes | None]:
    """Size of a WebP's canvas (RFC 9649, 2.5 to 2.7) and its `EXIF` chunk."""
    kind = data[12:16]
    if len(data) < 30:
        raise damaged("WebP")
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise damaged("WebP")
    return ImageFile("WebP", width, height, data), _webp_exif(data) if kind == b"VP8X" else None


def _webp_exif(data: bytes) -> bytes | None:
    offset = 12
    for _ in range(MAX_BLOCKS):
        if offset + 8 > len(data):
            break
        (length,) = struct.unpack_from("<I", data, offset + 4)
        if data[offset : offset + 4] == b"EXIF":
            return data[offset + 8 : offset + 8 + length]
        offset += 8 + length + (length & 1)
    return None


def read_gif(data: bytes) -> ImageFile:
    """A GIF's first frame (GIF89a, 17 to 26) without comments. The size covers screen and frame together."""
    if len(data) < 13:
        raise damaged("GIF")
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    offset = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    screen, control, blocks = data[:offset], b"", 0
    while offset + 10 <= len(data) and blocks < MAX_BLOCKS:
        if data[offset] == GIF_IMAGE:
            left, top, frame_width, frame_height = struct.unpack_from("<HHHH", data, offset + 1)
            if not frame_width or not frame_height:
                raise damaged("GIF")
            width, height = max(width, left + frame_width), max(height, top + frame_height)
            return ImageFile("GIF", width, height, b"".join((screen, control, data[offset:])))
        if data[offset] != GIF_EXTENSION:
            raise damaged("GIF")
        start, label = offset, data[offset + 1]
        offset += 2
        while offset < len(data) and data[offset] and blocks < MAX_BLOCKS:
            offset += data[offset] + 1
            blocks += 1
        offset += 1
        blocks += 1
        if label == GIF_GRAPHIC_CONTROL:
            control = data[start:offset]
    raise damaged("GIF")


def read_bmp(data: bytes) -> ImageFile:
    """Size of a BMP (BITMAPCOREHEADER, or BITMAPINFOHEADER and its successors; a negative height is top-down)."""
    if len(data) < 26:
        raise damaged("BMP")
    if data[14] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
        run_length = len(data) >= 34 and struct.unpack_from("<I", data, 30)[0] in BMP_RUN_LENGTH_CODES
        if run_length and len(data) > MAX_RUN_LENGTH_BYTES:
            raise UnreadableImage(f"a run-length coded BMP over {MAX_RUN_LENGTH_BYTES >> 20} MiB is not accepted")
    if width < 1:
        raise damaged("BMP", "damaged")
    return ImageFile("BMP", width, abs(height), data)
