"""Tiny random checkpoints of every kind, and rows for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from export.one_peace.config import HeadConfig
from export.one_peace.random_checkpoint import random_config

CLASSIFY_CONFIGS = {
    "grounding": random_config(head_type="vl", head=HeadConfig(4, use_image_features=True), image_size=96),
    "audio_labels": random_config(head_type="audio", head=HeadConfig(11)),
    "vqa": random_config(head_type="vl", head=HeadConfig(14, use_pooler=True)),
    "audio_qa": random_config(head_type="al", head=HeadConfig(1)),
    "image_pair": random_config(head_type="vl", head=HeadConfig(2, use_two_images=True)),
}


# the same window and step as the released seven convolutions, but quick to trace
QUICK_LAYERS = ((16, 10, 5), (16, 8, 8), (16, 8, 8))


def quick(config):
    """`config` with fewer layers of every sort."""
    audio = replace(config.audio, feature_layers=QUICK_LAYERS, position_depth=2)
    return replace(config, encoder=replace(config.encoder, layers=2), audio=audio)


def random_rows(image_size=64, vocabulary_size=600):
    """Two unequal rows of every input, each alone: no padding."""
    generator = np.random.default_rng(7)
    rows = []
    for ids, samples in ((9, 16_000), (4, 21_300)):
        rows.append(
            {
                "tokens": generator.integers(4, vocabulary_size, ids),
                "pixels": generator.integers(0, 256, (3, image_size, image_size), dtype=np.uint8),
                "pixels_2": generator.integers(0, 256, (3, image_size, image_size), dtype=np.uint8),
                "waveform": generator.standard_normal(samples, dtype=np.float32),
                "num_samples": np.array([samples]),
            }
        )
    return rows


def batch_rows(rows, names, extra=3):
    """Stack rows, padded beyond the longest: tokens with 1, waveforms with zeros."""
    batch = {}
    for name in names:
        values = [row[name] for row in rows]
        if name in ("tokens", "waveform"):
            length = max(len(value) for value in values) + (extra if name == "tokens" else extra * 1000)
            fill = 1 if name == "tokens" else 0
            values = [np.pad(value, (0, length - len(value)), constant_values=fill) for value in values]
        batch[name] = np.stack(values)
    return batch
