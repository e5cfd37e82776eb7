"""Which sound format some bytes hold, told from the bytes alone, before any decoder sees them.

libsndfile reads some thirty containers and codecs, many of them hardly ever used or tested. It is shown four
containers, and in WAV and OGG, which can hold anything, only the codecs below.
"""

from __future__ import annotations

from typing import Literal

Container = Literal["WAV", "FLAC", "OGG", "MP3"]

WAV_CODECS = frozenset({1, 2, 3, 6, 7, 17})
"""Format tags (mmreg.h): PCM, Microsoft ADPCM, float, A-law, µ-law, IMA ADPCM. Not GSM 6.10, G.721 and the like."""
WAV_EXTENSIBLE = 0xFFFE  # the tag stands in front of a longer header's GUID
MAX_WAV_CHUNKS = 64
OGG_CODECS = (b"\x01vorbis", b"OpusHead")  # RFC 5215 and 7845: how the first packet begins
OGG_HEADER_BYTES = 27
ID3_HEADER_BYTES = 10
MAX_ID3_TAGS = 16


def sniff_container(data: bytes) -> Container | None:
    """Name the container of `data`, or None when it is none of the four.

    ID3v2 tags in front of MP3 and FLAC are skipped. An MP3 frame header is checked field by field (ISO 11172-3,
    2.4.2.3), so that AAC, MPEG layer I and II, and UTF-16 text are not taken for MP3.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "WAV"
    if data[:4] == b"OggS":
        return "OGG"
    start = _skip_id3(data)
    if data[start : start + 4] == b"fLaC":
        return "FLAC"
    return "MP3" if _is_mp3_frame(data[start : start + 4]) else None


def holds_known_codec(data: bytes, container: Container) -> bool:
    """Whether the sound in a container is coded in one of the ways that are accepted."""
    if container == "WAV":
        return _wav_codec(data) in WAV_CODECS
    if container == "OGG":
        start = OGG_HEADER_BYTES + (data[OGG_HEADER_BYTES - 1] if len(data) >= OGG_HEADER_BYTES else 0)
        return data[start : start + 8].startswith(OGG_CODECS)
    return True


def _wav_codec(data: bytes) -> int | None:
    """The format tag of the first `fmt ` chunk; None without one in front of the samples."""
    start = 12
    for _ in range(MAX_WAV_CHUNKS):
        kind, size = data[start : start + 4], int.from_bytes(data[start + 4 : start + 8], "little")
        if kind == b"fmt ":
            tag = int.from_bytes(data[start + 8 : start + 10], "little")
            return int.from_bytes(data[start + 32 : start + 34], "little") if tag == WAV_EXTENSIBLE else tag
        if kind in (b"data", b""):
            break
        start += 8 + size + size % 2
    return None


def _skip_id3(data: bytes) -> int:
    """Offset behind the ID3v2 tags and the zero bytes that some writers leave behind them (id3.org, 2.4.0, 3.1)."""
    start = 0
    for _ in range(MAX_ID3_TAGS):
        if data[start : start + 3] != b"ID3" or len(data) < start + ID3_HEADER_BYTES:
            break
        size = 0
        for byte in data[start + 6 : start + 10]:
            size = size << 7 | byte & 0x7F
        has_footer = data[start + 5] & 0x10
        start += ID3_HEADER_BYTES + size + (ID3_HEADER_BYTES if has_footer else 0)
    if start and data[start : start + 1] == b"\0":
        tail = data[start : start + 65_536]
        start += len(tail) - len(tail.lstrip(b"\0"))
    return start


def _is_mp3_frame(head: bytes) -> bool:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer == 1 and bitrate not in (0, 15) and rate != 3
