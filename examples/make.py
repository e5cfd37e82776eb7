"""Makes the sample files beside it: a drawn scene and a two-tone chime. `python examples/make.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).parent
SIZE = (640, 480)


def draw_scene() -> Image.Image:
    """A red ball and a blue box in a green field under the sun."""
    scene = Image.new("RGB", SIZE, (150, 200, 240))
    draw = ImageDraw.Draw(scene)
    draw.rectangle((0, 300, 640, 480), fill=(90, 160, 70))
    draw.ellipse((500, 40, 590, 130), fill=(250, 220, 80))
    draw.ellipse((90, 230, 250, 390), fill=(200, 40, 40))
    draw.rectangle((350, 250, 500, 400), fill=(40, 70, 190))
    return scene.filter(ImageFilter.GaussianBlur(1))


def ring_chime(rate_hz: int = 44_100) -> np.ndarray:
    """Two struck tones that ring out, stereo float64 [samples, 2] in [−1, 1]."""
    time = np.arange(int(2.5 * rate_hz)) / rate_hz
    tones = [0.4 * np.exp(-3 * time) * np.sin(2 * np.pi * hz * time) for hz in (659.3, 523.3)]
    late = np.concatenate([np.zeros(rate_hz // 2), tones[1]])[: len(time)]
    return np.stack([tones[0] + 0.6 * late, 0.6 * tones[0] + late], axis=1)


def main() -> None:
    """Write `scene.jpg` and `chime.flac`."""
    draw_scene().save(HERE / "scene.jpg", quality=90)
    soundfile.write(HERE / "chime.flac", ring_chime(), 44_100, subtype="PCM_16")


if __name__ == "__main__":
    main()
