"""Good files of every accepted kind, to be damaged: the examples, real media where they lie beside, made ones."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import soundfile
from PIL import Image

from tests.golden import SHARED
from tests.service.media_files import clip, encode_clip, picture

Kind = Literal["image", "audio"]
EXAMPLES, REAL_MEDIA = Path("examples"), SHARED / "media"
EMPTY_ID3 = b"ID3\x04\0\0\0\0\0\x10" + bytes(16)
KINDS: dict[str, Kind] = {".jpg": "image", ".jpeg": "image", ".flac": "audio"}
PICTURES: list[tuple[str, str, dict[str, Any]]] = [
    *(("JPEG", mode, {}) for mode in ("L", "RGB", "CMYK")),
    ("JPEG", "RGB", {"progressive": True, "subsampling": 1}),
    (
        "JPEG",
        "RGB",
        {"restart_marker_rows": 1, "exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"},
    ),
    *(("PNG", mode, {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("WEBP", "RGB", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}),
    *(("GIF", mode, {}) for mode in ("1", "P", "RGBA")),
    *(("BMP", mode, {}) for mode in ("1", "P", "RGB")),
    *(("TIFF", "RGB", {"compression": name}) for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "zstd")),
    ("TIFF", "RGB", {"compression": "packbits", "big_tiff": True}),
    ("TIFF", "P", {}),
]
SOUNDS = [
    *(("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE", "ULAW", "ALAW")),
    ("WAV", "MS_ADPCM"),
    ("WAV", "IMA_ADPCM"),
    ("WAVEX", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
]


@dataclass(frozen=True, slots=True)
class Seed:
    """A file that the service takes."""

    kind: Kind
    form: str
    data: bytes


@cache
def find_seeds() -> tuple[Seed, ...]:
    """All of them, small ones of every form and some as cameras and recorders write them."""
    upright = Image.open(io.BytesIO(picture(1, (96, 64))))
    seeds = [Seed("image", form, _saved(upright, form, mode, options)) for form, mode, options in PICTURES]
    seeds += [Seed("image", form, _animated(upright, form)) for form in ("GIF", "WEBP", "PNG")]
    samples, rate_hz = soundfile.read(io.BytesIO(clip(1, 0.4, channels=2)), always_2d=True)
    seeds += [Seed("audio", form, encode_clip(samples, rate_hz, form, subtype)) for form, subtype in SOUNDS]
    seeds.append(Seed("audio", "MP3", EMPTY_ID3 + encode_clip(samples, rate_hz, "MP3")))
    files = [*EXAMPLES.iterdir(), *(REAL_MEDIA.iterdir() if REAL_MEDIA.is_dir() else ())]
    for path in sorted(files):
        if kind := KINDS.get(path.suffix.lower()):
            seeds.append(Seed(kind, "JPEG" if kind == "image" else "FLAC", path.read_bytes()))
    return tuple(seeds)


def _saved(image: Image.Image, form: str, mode: str, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    plain = image.convert("L") if mode == "I;16" else image  # Pillow has no other way to 16 bits
    plain.convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def _animated(image: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, save_all=True, append_images=[image.rotate(90), image.rotate(180)])
    return buffer.getvalue()
