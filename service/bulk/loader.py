"""From an entry to an item that can be embedded: the content is read, and tells what it is."""

from __future__ import annotations

import os
import stat

from service.bulk.entry import NOT_REGULAR, UNREADABLE, UNSUPPORTED, Entry, Failure, unreadable
from service.bulk.limits import InputLimits
from service.errors import BodyTooLarge, InvalidText
from service.media.image_file import sniff_format
from service.media.sound_container import sniff_container
from service.usecases.items import AudioItem, ImageItem, MediaItem, TextItem

TEXT_SUFFIX = ".txt"
TEXT_FRAME_BYTES = 5  # a byte order mark and a line break, which don't count
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"})
ACCEPTED = "JPEG, PNG, WebP, GIF, BMP, TIFF, WAV, FLAC, OGG, MP3 and .txt files are accepted"


def load(entry: Entry, limits: InputLimits) -> MediaItem | Failure:
    """Read an entry's content. Blocks: for a thread.

    A text file loses its last line break and a byte order mark. A file of no known content goes by its suffix, so
    that the decoder can say what is wrong with it.
    """
    if entry.failure is not None:
        return entry.failure
    if entry.text is not None:
        return TextItem(entry.text, "")
    suffix = os.path.splitext(entry.path or "")[1].lower()
    try:
        data = _read(entry, limits, is_text=suffix == TEXT_SUFFIX)
    except OSError as error:
        return unreadable(error)
    if isinstance(data, Failure):
        return data
    if suffix == TEXT_SUFFIX:
        try:
            return TextItem(data.decode("utf-8-sig").removesuffix("\n").removesuffix("\r"), "")
        except UnicodeDecodeError:
            pass
    return _recognise(data, suffix)


def _recognise(data: bytes, suffix: str) -> MediaItem | Failure:
    if sniff_format(data) is not None:
        return ImageItem(data, "")
    if sniff_container(data) is not None:
        return AudioItem(data, "")
    if suffix == TEXT_SUFFIX:
        return Failure(InvalidText.code, "the text file is not UTF-8")
    if suffix in IMAGE_SUFFIXES:
        return ImageItem(data, "")
    return AudioItem(data, "") if suffix in AUDIO_SUFFIXES else Failure(UNSUPPORTED, f"unknown content; {ACCEPTED}")


def _read(entry: Entry, limits: InputLimits, *, is_text: bool) -> bytes | Failure:
    # O_NONBLOCK: to open a pipe that nobody writes would wait for ever.
    descriptor = os.open(entry.file or "", os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return Failure(UNREADABLE, NOT_REGULAR)
        size = status.st_size if entry.offset is None else entry.size
        if is_text and size > limits.max_text_bytes + TEXT_FRAME_BYTES:
            return Failure(InvalidText.code, f"the text has {size} bytes, the limit is {limits.max_text_bytes}")
        if size > limits.max_file_bytes:
            return Failure(BodyTooLarge.code, f"the file has {size} bytes, the limit is {limits.max_file_bytes}")
        file.seek(entry.offset or 0)
        data = file.read(size)
    if entry.offset is not None and len(data) < size:
        return Failure(UNREADABLE, "can't be read: the archive is cut off")
    return data
