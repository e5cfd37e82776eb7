"""The command lines that build the same plans with NVIDIA's `trtexec`, for where Python can't."""

from __future__ import annotations

import shlex

from export.profiles import bucket_profiles, shapes_text
from export.tensorrt.plan_file import STANDARD_FILE, PlanKey
from service.repository import MODEL_FILE, ModelFolder


def trtexec_command(model: ModelFolder, key: PlanKey, workspace_gib: int) -> str:
    """One command for a model of a repository that holds its standard graph.

    `--stronglyTyped` is needed by TensorRT 10 and taken but not needed by TensorRT 11.
    """
    words = [
        "trtexec",
        f"--onnx={model.path / STANDARD_FILE}",
        f"--saveEngine={model.path / MODEL_FILE.with_name(key.file_name)}",
        "--stronglyTyped",
        *(["--noTF32"] if model.card.precision == "fp32" else []),
        f"--memPoolSize=workspace:{workspace_gib * 1024}",  # MiB
        f"--timingCacheFile={key.timing_cache_name}",
        "--skipInference",
    ]
    profiles = bucket_profiles(model)
    for number, profile in enumerate(profiles):
        words += [f"--profile={number}"] if len(profiles) > 1 else []
        words += [
            f"--minShapes={shapes_text(profile.min)}",
            f"--optShapes={shapes_text(profile.opt)}",
            f"--maxShapes={shapes_text(profile.max)}",
        ]
    return shlex.join(words)
