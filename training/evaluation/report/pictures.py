"""Media of the report as data URIs: small pictures, boxes drawn into them, short sounds."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from training.evaluation.dataset import Box
from training.evaluation.tasks.result import FoundBox

THUMBNAIL_SIDE, BOXES_SIDE = 144, 400  # pixels
MAX_SOUND_BYTES = 256 * 1024
TRUE_COLOUR, FOUND_COLOUR = "#1f9d55", "#e8710a"
LINE_WIDTH = 3
SOUND_TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".mp3": "audio/mpeg",
}


def thumbnail_uri(path: Path) -> str | None:
    """The picture made small; None if it can't be read."""
    picture = _load(path, THUMBNAIL_SIDE)
    return None if picture is None else _uri(picture[0])


def boxes_uri(found: FoundBox) -> str | None:
    """The picture with the true box and the model's; None if it can't be read."""
    loaded = _load(found.path, BOXES_SIDE)
    if loaded is None:
        return None
    picture, scale = loaded
    draw = ImageDraw.Draw(picture)
    for box, colour in ((found.true_box, TRUE_COLOUR), (found.found_box, FOUND_COLOUR)):
        corners = _scaled(box, scale, picture.size)
        draw.rectangle(corners, outline="white", width=LINE_WIDTH + 2)  # seen on a ground of the line's colour too
        draw.rectangle(corners, outline=colour, width=LINE_WIDTH)
    return _uri(picture)


def sound_uri(path: Path) -> str | None:
    """The sound's own bytes; None if it is long, unreadable, or no browser knows its type."""
    media_type = SOUND_TYPES.get(path.suffix.lower())
    try:
        if media_type is None or path.stat().st_size > MAX_SOUND_BYTES:
            return None
        return f"data:{media_type};base64,{base64.b64encode(path.read_bytes()).decode()}"
    except OSError:
        return None


def _load(path: Path, side: int) -> tuple[Image.Image, float] | None:
    """The upright picture in RGB, its longer side at most `side` pixels, and by how much it was scaled."""
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    width = picture.width
    picture.thumbnail((side, side))
    return picture, picture.width / width


def _scaled(box: Box, scale: float, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The box in the small picture, its corners in order and inside."""
    x0, x1 = sorted(min(max(edge * scale, 0.0), size[0] - 1.0) for edge in (box[0], box[2]))
    y0, y1 = sorted(min(max(edge * scale, 0.0), size[1] - 1.0) for edge in (box[1], box[3]))
    return x0, y0, x1, y1


def _uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
