"""Prompt ensembles: a class is the normalised mean of its prompts' vectors.

The method is CLIP's (Radford et al. 2021, section 3.1.4); the picture templates are ours. The sound template is the
ONE-PEACE paper's for ESC-50.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.evaluation.dataset import DataError, MediaKind
from training.evaluation.model import EvaluatedModel, Vector
from training.evaluation.tasks.gathering import embed_texts

PLACE = "{}"
IMAGE_TEMPLATES = (
    "a photo of a {}",
    "a picture of the {}",
    "a close view of a {}",
    "a small {} in a photo",
    "a large {} in a photo",
    "a bright photo of a {}",
    "a dark photo of a {}",
    "a blurred photo of a {}",
    "a drawing of a {}",
    "one can see a {} here",
)
AUDIO_TEMPLATES = ("This is a sound of {}",)


def usual_templates(kind: MediaKind) -> tuple[str, ...]:
    """The templates for pictures or sounds when the user names none."""
    return IMAGE_TEMPLATES if kind == "image" else AUDIO_TEMPLATES


def check_templates(templates: Sequence[str]) -> tuple[str, ...]:
    """The templates, each of which holds `{}` once.

    Raises:
        DataError: one does not.
    """
    for template in templates:
        if template.count(PLACE) != 1:
            raise DataError(f"a template must hold '{{}}' exactly once: '{template}'")
    return tuple(templates)


def read_templates(path: Path) -> tuple[str, ...]:
    """Templates from a text file, one a line; blank lines and lines that begin with `#` are left out.

    Raises:
        DataError: the file can't be read, holds none, or one is wrong.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}") from error
    templates = [line for line in lines if line and not line.startswith("#")]
    if not templates:
        raise DataError(f"{path}: holds no template")
    return check_templates(templates)


def class_vectors(model: EvaluatedModel, names: Sequence[str], templates: Sequence[str]) -> Vector:
    """One vector for each class: float32 [C, D], L2 norm 1.

    Raises:
        ModelError: a prompt could not be embedded.
    """
    prompts = [template.replace(PLACE, name) for name in names for template in templates]
    vectors = embed_texts(model, prompts, "prompts")
    means = vectors.reshape(len(names), len(templates), -1).mean(axis=1)
    norms = np.linalg.norm(means, axis=1, keepdims=True)
    return np.asarray(means / np.maximum(norms, np.finfo(np.float32).tiny), dtype=np.float32)
