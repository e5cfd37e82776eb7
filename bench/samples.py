"""The requests that are measured: a short text, a photograph-like JPEG and a FLAC clip, made from a seed."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import numpy as np
import soundfile
from PIL import Image

BOUNDARY = "onepeace-bench"


@dataclass(frozen=True, slots=True)
class Sample:
    """One kind of request. `model` is also the multipart field's name."""

    model: str
    title: str
    data: bytes

    def http_request(self, host: str) -> bytes:
        """The whole HTTP/1.1 request for `/embed`: JSON for a text, multipart for a file."""
        if self.model == "text":
            content_type = "application/json"
            body = json.dumps({"inputs": [{"text": self.data.decode()}]}).encode()
        else:
            content_type = f"multipart/form-data; boundary={BOUNDARY}"
            name = f'name="{self.model}"; filename="sample"'
            head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {name}\r\n\r\n".encode()
            body = head + self.data + f"\r\n--{BOUNDARY}--\r\n".encode()
        lines = [
            "POST /embed HTTP/1.1",
            f"Host: {host}",
            f"Content-Type: {content_type}",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def make_samples() -> list[Sample]:
    """A 9-word text, a 640 × 480 JPEG, 5 s of stereo FLAC at 44.1 kHz."""
    return [
        Sample("text", "short text", b"a brown cow in a green field at noon"),
        Sample("image", "JPEG 640 x 480", _jpeg(640, 480)),
        Sample("audio", "FLAC 5 s stereo 44.1 kHz", _flac(5.0)),
    ]


def _jpeg(width: int, height: int) -> bytes:
    """Smooth colours, edges and a little grain: compresses like a photograph."""
    rng = np.random.default_rng(7)
    coarse = Image.fromarray(rng.integers(0, 256, (height // 32, width // 32, 3), dtype=np.uint8))
    picture = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    picture = picture + rng.normal(0, 6, picture.shape).astype(np.int16)
    buffer = io.BytesIO()
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _flac(seconds: float, rate: int = 44_100) -> bytes:
    rng = np.random.default_rng(7)
    time = np.arange(int(seconds * rate)) / rate
    tone = 0.3 * np.sin(2 * np.pi * 440 * time)
    stereo = np.stack([tone, 0.5 * tone], axis=1) + rng.normal(0, 0.02, (len(time), 2))
    buffer = io.BytesIO()
    soundfile.write(buffer, stereo, rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
