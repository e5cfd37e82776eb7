"""Sounds that claim or hold hours, and headers without sense."""

from __future__ import annotations

import io
import random
import struct
from functools import cache

import numpy as np
import soundfile

from tests.load.hostile.chunks import repair
from tests.service.media_files import clip, encode_clip

LIMIT_S = 600
RATE_HZ = 8_000


@cache
def silence(form: str, seconds: int, subtype: str | None = None) -> bytes:
    """Digital silence: the best that each codec can shrink."""
    buffer, block = io.BytesIO(), np.zeros(RATE_HZ, np.float32)
    with soundfile.SoundFile(buffer, "w", RATE_HZ, 1, format=form, subtype=subtype) as file:
        for _ in range(seconds):  # libsndfile's encoder of Vorbis crashes on minutes at once
            file.write(block)
    return buffer.getvalue()


def flac_hours(source: random.Random) -> bytes:
    """An hour that is there; one half does not tell so in its header."""
    data = bytearray(silence("FLAC", 3600))
    if source.random() < 0.5:
        data[21] &= 0xF0
        data[22:26] = bytes(4)
    return bytes(data)


def flac_claim(source: random.Random) -> bytes:
    """The largest number of samples that the header can hold, or another beyond the limit."""
    data = bytearray(clip(1, form="FLAC"))
    claimed = source.choice(((1 << 36) - 1, 16_000 * LIMIT_S + 1, 1 << 35))
    data[21] = data[21] & 0xF0 | claimed >> 32
    struct.pack_into(">I", data, 22, claimed & 0xFFFFFFFF)
    return bytes(data)


def flac_blocks(source: random.Random) -> bytes:
    """Metadata that claim 16 MB each: pictures, comments, seek tables."""
    data = clip(1, form="FLAC")
    kind, count = source.choice((1, 2, 3, 4, 5, 6)), source.randrange(1, 2000)
    block = bytes((kind,)) + source.choice((b"\xff\xff\xff", b"\0\0\x20")) + b"\xff" * 32
    return data[:4] + bytes((data[4] & 0x7F,)) + data[5:42] + block * count + data[42:]


def wav_hours(source: random.Random) -> bytes:
    """601 s to 5,000 s of 8-bit silence at the lowest rate: small for its length, refused by its header."""
    seconds = source.randrange(LIMIT_S + 1, 1000)
    return encode_clip(np.zeros((seconds * 1000, 1), np.float32), 1000, "WAV", "PCM_U8")


def wav_header(source: random.Random) -> bytes:
    """Absurd channels, rates, block sizes or bits over a good body."""
    data = bytearray(encode_clip(np.zeros((4000, 1), np.float32), 16_000, "WAV", source.choice(("PCM_16", "MS_ADPCM"))))
    place, form = source.choice(((22, "<H"), (24, "<I"), (28, "<I"), (32, "<H"), (34, "<H"), (38, "<H"), (40, "<I")))
    struct.pack_into(form, data, place, source.choice((0, 1, 0x7FFF, 0xFFFF)))
    return bytes(data)


def wav_chunks(source: random.Random) -> bytes:
    """Thousands of chunks in front of the samples."""
    data = clip(1)
    chunk = source.choice((b"LIST", b"bext", b"cue ", b"smpl", b"junk")) + struct.pack("<I", source.choice((0, 4, 8)))
    return data[:12] + (chunk + bytes(8)) * source.randrange(1, 5000) + data[12:]


def ogg_hours(source: random.Random) -> bytes:
    """More than the limit of silence, which is found out while decoding."""
    return silence("OGG", LIMIT_S + 60, source.choice(("VORBIS", "OPUS")))


def ogg_claim(source: random.Random) -> bytes:
    """A last page that claims any number of samples."""
    data = bytearray(clip(1, form="OGG"))
    struct.pack_into(
        "<Q", data, data.rfind(b"OggS") + 6, source.choice(((1 << 63) - 1, 1 << 62, 1 << 40, 16_000 * 3600))
    )
    return repair(bytes(data), "OGG")


def ogg_chain(source: random.Random) -> bytes:
    """Many streams, one behind the other."""
    return clip(1, 0.2, form="OGG") * source.randrange(2, 100)


def mp3_claim(source: random.Random) -> bytes:
    """A Xing header that claims 2^32 − 1 frames."""
    data = bytearray(clip(1, form="MP3"))
    place = max(data.find(b"Xing"), data.find(b"Info"))
    if place > 0:
        struct.pack_into(">II", data, place + 4, 3, source.choice((0xFFFFFFFF, 0x7FFFFFFF, 10_000_000)))
    return bytes(data)


def mp3_tags(source: random.Random) -> bytes:
    """Tags upon tags, or one that claims 256 MB."""
    if source.random() < 0.5:
        return b"ID3\4\0\0\x7f\x7f\x7f\x7f" + clip(1, form="MP3")
    return b"ID3\4\0\0\0\0\0\0" * source.randrange(1, 20_000) + clip(1, form="MP3")


SOUNDS = (
    flac_claim,
    flac_blocks,
    wav_hours,
    wav_header,
    wav_chunks,
    ogg_claim,
    ogg_chain,
    mp3_claim,
    mp3_tags,
)
STREAMS = (flac_hours, ogg_hours)
"""Their length may come out only while they are decoded; `max_audio_seconds` of them must be taken until then."""
