"""A variant of a model repository for Triton's Python backend: for servers that have no ONNX Runtime backend.

Same graphs, same batching, same fingerprints; only who calls ONNX Runtime differs.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from tritonclient.grpc import model_config_pb2

from export.publication import publish, staging_folder
from service.repository import CONFIG_FILE, MODEL_FILE, read_repository, write_config

PROGRAM = Path(__file__).with_name("python_model.py")


def write_python_variant(source: Path, out_dir: Path, *, threads: int = 0) -> None:
    """Write every model of the repository `source` to `out_dir`, all or none; graphs are hard links where they can be.

    `threads` of each model call; 0 is one for each core.

    Raises:
        RepositoryError: `source` is not a model repository.
        OSError: `out_dir` can't be written.
    """
    models = read_repository(source)
    out_dir.mkdir(parents=True, exist_ok=True)
    with staging_folder(out_dir) as staging:
        for name, model in models.items():
            shutil.copytree(model.path, staging / name, copy_function=link_or_copy)
            (staging / name / CONFIG_FILE).unlink()
            write_config(python_config(model.config, threads), staging / name / CONFIG_FILE)
            shutil.copyfile(PROGRAM, staging / name / MODEL_FILE.with_name("model.py"))
        publish(staging, out_dir, list(models))


def python_config(native: Any, threads: int) -> Any:
    """A native `ModelConfig` with the backend changed; batching, buckets, warm-up and fingerprint stay."""
    message = model_config_pb2.ModelConfig()
    message.CopyFrom(native)
    message.platform = ""
    message.backend = "python"
    for group in message.instance_group:
        group.kind = model_config_pb2.ModelInstanceGroup.KIND_CPU
    message.parameters["intra_op_thread_count"].string_value = str(threads)
    message.ClearField("optimization")
    return message


def link_or_copy(source: str, target: str) -> str:
    """A second name for a file where the file system allows it, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target
