"""A model's fingerprint: what its card says that the files are, and whether they still are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from service.repository import MODEL_FILE, TOKENIZER_FILE, ModelCard, RepositoryError

WEIGHTS_FILE = "model.onnx.data"
"""Weights of more than 2 GB, beside the graph."""
PIXEL_MEAN = (0.48145466, 0.4578275, 0.40821073)
PIXEL_STD = (0.26862954, 0.26130258, 0.27577711)
"""Of RGB in [0, 1], within the graph; the values of CLIP, arXiv:2103.00020, which ONE-PEACE kept."""
SIZE_FIELDS = ("embedding_dim", "logit_scale", "image_size", "max_tokens", "num_labels", "activation")
SOUND_FIELDS = ("sample_rate_hz", "min_audio_s", "max_audio_s")


def fingerprint(folder: Path, sizes: dict[str, Any]) -> str:
    """SHA-256 over graph, weights, tokenizer and preprocessing; dates, labels and tuning don't count."""
    digest = hashlib.sha256()
    for file in (MODEL_FILE, MODEL_FILE.with_name(WEIGHTS_FILE), Path(TOKENIZER_FILE)):
        if (folder / file).is_file():
            digest.update(f"{file.name}\n{file_sha256(folder / file)}\n".encode())
    known = {field: value for field, value in sizes.items() if value is not None}
    digest.update(json.dumps({**known, "mean": PIXEL_MEAN, "std": PIXEL_STD}, sort_keys=True).encode())
    return digest.hexdigest()


def card_fingerprint(folder: Path, card: ModelCard) -> str:
    """The fingerprint of the files as they are and of the sizes that the card names."""
    return fingerprint(folder, {field: getattr(card, field) for field in SIZE_FIELDS + SOUND_FIELDS})


def check_fingerprint(folder: Path, card: ModelCard) -> None:
    """Make sure that the files are those that the card was written for.

    Raises:
        RepositoryError: a file or a size was changed since, or a file can't be read.
    """
    try:
        found = card_fingerprint(folder, card)
    except OSError as error:
        raise RepositoryError(f"{error.filename or folder}: {error.strerror}") from error
    if found != card.fingerprint:
        raise RepositoryError(f"{folder}: graph, weights, tokenizer or sizes are not those that its fingerprint names")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
