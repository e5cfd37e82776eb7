"""Pictures that are larger than they look: sizes beyond the limit, and megabytes that inflate from kilobytes."""

from __future__ import annotations

import io
import random
import struct
import zlib
from functools import cache

from PIL import Image

from tests.service.media_files import picture

SIDES = (7_072, 10_000, 20_000, 32_767, 65_535)  # each squared is beyond 50,000,000 pixels
SIDES_32_BIT = (*SIDES, 70_000, 1 << 24, (1 << 31) - 1)
INFLATED_BYTES = 64 << 20


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_file(width: int, height: int, pixels: bytes, extra: bytes = b"", depth: int = 8) -> bytes:
    """A grey PNG of any claimed size; `pixels` are compressed already."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


@cache
def zeros(count: int) -> bytes:
    """`count` zeros, compressed to a thousandth."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    parts = [packer.compress(block[: min(len(block), count - done)]) for done in range(0, count, len(block))]
    return b"".join((*parts, packer.flush()))


def saved(form: str, mode: str = "RGB", **options: object) -> bytes:
    """A small good file."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture(1, (48, 32)))).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def png_header(source: random.Random) -> bytes:
    return png_file(source.choice(SIDES_32_BIT), source.choice(SIDES_32_BIT), zlib.compress(bytes(100)))


def png_whole(source: random.Random) -> bytes:
    """64 megapixels that are really there."""
    return png_file(8192, 8192 + source.randrange(100), zeros(INFLATED_BYTES))


def png_surplus(source: random.Random) -> bytes:
    """A small picture, behind which the stream goes on for 64 MB."""
    return png_file(source.randrange(1, 64), source.randrange(1, 64), zeros(INFLATED_BYTES))


def png_texts(source: random.Random) -> bytes:
    heads = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}
    kinds = source.choices(list(heads), k=source.randrange(1, 8))
    extra = b"".join(png_chunk(kind, heads[kind] + zeros(INFLATED_BYTES)) for kind in kinds)
    return png_file(8, 8, zlib.compress(bytes(72)), extra)


def png_animation(source: random.Random) -> bytes:
    """An APNG whose frames are larger than the picture."""
    frame = struct.pack(">IIIIIHHBB", 0, source.choice(SIDES), source.choice(SIDES), 0, 0, 1, 1, 0, 0)
    extra = png_chunk(b"acTL", struct.pack(">II", 0xFFFF, 0)) + png_chunk(b"fcTL", frame) * source.randrange(1, 99)
    return png_file(8, 8, zlib.compress(bytes(72)), extra)


def jpeg_size(source: random.Random) -> bytes:
    data = bytearray(saved("JPEG", progressive=source.random() < 0.5))
    start = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    struct.pack_into(">HH", data, start + 5, source.choice(SIDES), source.choice(SIDES))
    return bytes(data)


def jpeg_scans(source: random.Random) -> bytes:
    data = saved("JPEG", progressive=True)
    start = data.rfind(b"\xff\xda")
    return data[:start] + data[start:-2] * source.randrange(129, 2000) + data[-2:]


def jpeg_segments(source: random.Random) -> bytes:
    data = saved("JPEG")
    segment = bytes((0xFF, source.choice((0xE1, 0xE2, 0xED, 0xFE, 0xDB, 0xDD)))) + b"\0\4\0\0"
    return data[:2] + segment * source.randrange(4097, 20_000) + data[2:]


def webp_canvas(source: random.Random) -> bytes:
    side = (1 << 14, 1 << 20, 1 << 24)
    head = b"VP8X" + struct.pack("<I", 10) + bytes((source.choice((0, 2, 0x10)), 0, 0, 0))
    sizes = b"".join((source.choice(side) - 1).to_bytes(3, "little") for _ in range(2))
    body = b"WEBP" + head + sizes + saved("WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_lossless(source: random.Random) -> bytes:
    """The largest size that the form has, over a few bytes."""
    bits = 0x3FFF | 0x3FFF << 14
    body = b"WEBPVP8L" + struct.pack("<IBI", 25, 0x2F, bits) + source.randbytes(21)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_screen(source: random.Random) -> bytes:
    """A screen or a frame beyond the limit, over a code that stays small."""
    data = bytearray(saved("GIF"))
    frame = data.find(b"\x2c\0\0\0\0")
    place = source.choice((6, frame + 5))
    struct.pack_into("<HH", data, place, source.choice(SIDES), source.choice(SIDES))
    return bytes(data)


def bmp_size(source: random.Random) -> bytes:
    data = bytearray(saved("BMP", source.choice(("RGB", "P"))))
    struct.pack_into("<ii", data, 18, source.choice(SIDES_32_BIT), source.choice((1, -1)) * source.choice(SIDES_32_BIT))
    return bytes(data)


def bmp_runs(source: random.Random) -> bytes:
    """Run-length code that claims 65,535 × 65,535."""
    data = bytearray(saved("BMP", "P"))
    struct.pack_into("<ii", data, 18, 65_535, 65_535)
    struct.pack_into("<I", data, 30, 1)
    return bytes(data[:1078]) + b"\xff\0" * source.randrange(1, 50_000) + b"\0\1"


def tiff_file(entries: list[tuple[int, int, int, int]], tail: bytes) -> bytes:
    """A TIFF of entries (tag, type, count, value); the pixels begin behind the directory."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + bytes(4) + tail


def tiff_bomb(source: random.Random) -> bytes:
    """Sizes, tiles, strips or counts beyond any sense; or small sizes over 64 MB of deflate or LZW."""
    width, height = source.choice(SIDES_32_BIT), source.choice(SIDES_32_BIT)
    small, tiles = source.random() < 0.4, source.random() < 0.4
    if small:
        width, height = 16, 16
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, source.choice((1, 5, 8, 32773, 32946, 50000))),
        (262, 3, 1, 1),
        (277, 3, 1, 1),
    ]
    start = 10 + 12 * (len(entries) + (4 if tiles else 3)) + 4
    if tiles:
        side = source.choice((16, *SIDES_32_BIT))
        entries += [(322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, start), (325, 4, 1, 1 << 20)]
    else:
        entries += [
            (273, 4, source.choice((1, 0xFFFFFFFF)), start),
            (278, 4, 1, height),
            (279, 4, source.choice((1, 1 << 27)), 1 << 20),
        ]
    return tiff_file(entries, zeros(INFLATED_BYTES))


PICTURES = (
    png_header,
    png_whole,
    png_surplus,
    png_texts,
    png_animation,
    jpeg_size,
    jpeg_scans,
    jpeg_segments,
    webp_canvas,
    webp_lossless,
    gif_screen,
    bmp_size,
    bmp_runs,
    tiff_bomb,
)


def within_limits() -> bytes:
    """The control: 49 megapixels, which are accepted and have to be decoded."""
    return png_file(7000, 7000, zeros(7001 * 7000))
