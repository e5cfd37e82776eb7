"""Checkpoints → model repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import onnx_ir as ir
import torch
from tqdm import tqdm

from export.agreement import Verdict
from export.artifact import Source, write_model
from export.one_peace.checkpoint import Checkpoint, load_checkpoint
from export.one_peace.config import HEAD_MODALITIES
from export.one_peace.model import ClassifyModel, EmbeddingModel
from export.onnx_modules import prepare_for_tracing
from export.precision import quantize_weights, store_narrow
from export.publication import publish, staging_folder
from export.target import TargetOptions
from export.tokenizer import build_tokenizer
from export.tracing import trace
from export.triton.variant import Report, refuse_unsupported, retarget, say_nothing
from export.verifier import verify_model
from service.fingerprint import file_sha256
from service.repository import CONTRACTS, TOKENS, Precision

EMBEDDINGS = "checkpoint"  # the role of the file that holds `text`, `image` and `audio`
# role → (head_type, number of classes where it is fixed, reads image features, takes two images)
ROLES: dict[str, tuple[str, int | None, bool, bool]] = {
    "grounding": ("vl", 4, True, False),
    "audio_labels": ("audio", None, False, False),
    "vqa": ("vl", None, False, False),
    "audio_qa": ("al", 1, False, False),
    "image_pair": ("vl", 2, False, True),
}


class ExportError(Exception):
    """The export can't be done as asked; the message says why."""


class VerificationFailed(ExportError):
    """ONNX Runtime's results differ from PyTorch's by more than the precision allows."""


@dataclass(frozen=True)
class ExportRequest:
    """What to export: a checkpoint's path for each role, and files with the names of classes.

    `multi_label`: the audio labels don't exclude each other, so each gets a sigmoid. `target`: what Triton shall run
    the models with; None: the native repository.
    """

    bpe_dir: Path
    out_dir: Path
    checkpoints: dict[str, Path]
    labels: dict[str, Path] = field(default_factory=dict)
    precision: Precision = "fp32"
    verify: bool = True
    multi_label: bool = False
    target: TargetOptions | None = None


@dataclass(frozen=True)
class _Job:
    name: str
    checkpoint: Checkpoint
    source: Source


def export_repository(request: ExportRequest, report: Report = say_nothing) -> list[Verdict]:
    """Write every asked-for model, all or none of them, and return how far each is from PyTorch.

    `report` is told what Triton runs each model with, where a target is asked for.

    Raises:
        CheckpointError: a checkpoint can't be read.
        ExportError: a checkpoint does not fit its role, or labels don't fit the checkpoint.
        VerificationFailed: a model is off; then nothing was written.
        TokenizerError: the vocabulary can't be read.
        UnusableModel: ONNX Runtime refuses a model.
        OSError: the folder can't be written.
        UnsupportedModel, PlansMissing, PlanError: as `export.triton.variant.write_variant`.
    """
    if request.target is not None:
        refuse_unsupported(f"--precision {request.precision}", request.precision, request.target)
    jobs = list(_plan(request))
    request.out_dir.mkdir(parents=True, exist_ok=True)
    verdicts = []
    with staging_folder(request.out_dir) as staging, tqdm(disable=None, total=3 * len(jobs), unit="step") as progress:
        for job in jobs:
            progress.set_description(f"{job.name}: tracing")
            graph = build_graph(job.name, job.checkpoint, request.precision)
            progress.update()
            progress.set_description(f"{job.name}: writing")
            write_model(staging / job.name, graph, job.source)
            del graph
            progress.update()
            if request.verify:
                progress.set_description(f"{job.name}: verifying")
                verdicts.append(verify_model(staging / job.name, job.checkpoint))
            progress.update()
        if any(not verdict.passed for verdict in verdicts):
            raise VerificationFailed("\n".join(verdict.line() for verdict in verdicts))
        names = [job.name for job in jobs]
        if request.target is not None:
            retarget(staging, names, request.target, report)
        publish(staging, request.out_dir, names)
    return verdicts


def open_checkpoint(role: str, path: Path) -> Checkpoint:
    """Open the checkpoint for a role and hold its kind against it.

    Raises:
        CheckpointError: it can't be read.
        ExportError: it is of another kind.
    """
    checkpoint = load_checkpoint(path)
    head = checkpoint.config.head
    if role == EMBEDDINGS:
        if head is not None:
            raise ExportError(f"{path}: holds a classify model; --checkpoint takes the embedding model")
        return checkpoint
    head_type, classes, image_features, two_images = ROLES[role]
    flag = f"--{role.replace('_', '-')}"
    if head is None:
        raise ExportError(f"{path}: holds an embedding model; {flag} takes a classify model")
    if checkpoint.config.modalities != HEAD_MODALITIES[head_type]:
        found = " + ".join(checkpoint.config.modalities)
        raise ExportError(f"{path}: its head reads {found}; {flag} takes head_type '{head_type}'")
    if classes not in (None, head.num_classes):
        raise ExportError(f"{path}: has {head.num_classes} classes; {flag} takes {classes}")
    if head.use_two_images != two_images or (head_type == "vl" and head.use_image_features != image_features):
        raise ExportError(f"{path}: is a model of another task than {flag}")
    return checkpoint


def models_of(role: str, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Names of the models that the checkpoint of a role becomes."""
    return tuple(checkpoint.config.modalities) if role == EMBEDDINGS else (role,)


def build_model(
    name: str, checkpoint: Checkpoint, dtype: torch.dtype = torch.float32
) -> EmbeddingModel | ClassifyModel:
    """Build the PyTorch model behind the contract's model `name`, with only the weights that it needs."""
    if checkpoint.config.head is not None:
        return checkpoint.classify_model(dtype)
    return checkpoint.embedding_model(
        [modality for modality in checkpoint.config.modalities if modality == name], dtype
    )


def build_graph(name: str, checkpoint: Checkpoint, precision: Precision) -> ir.Model:
    """Trace the contract's model `name` and store its weights in a precision."""
    model = build_model(name, checkpoint, _dtype(precision))
    prepare_for_tracing(model, fold_gains=precision in ("fp32", "int8"))
    graph = trace(name, model)
    if precision == "int8":
        quantize_weights(graph)
    elif precision == "bf16":
        store_narrow(graph, ir.DataType.BFLOAT16)
    return graph


def read_labels(path: Path, count: int) -> tuple[str, ...]:
    """Read `count` names: a JSON list, a JSON object from number to name, or one name on each line.

    Raises:
        ExportError: the file can't be read, or holds another number of names.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if text.lstrip().startswith(("{", "[")) else text.splitlines()
        if isinstance(content, dict):
            content = [content[str(number)] for number in range(len(content))]
        labels = tuple(" ".join(str(label).split()) for label in content)
    except (OSError, UnicodeDecodeError, ValueError, KeyError) as error:
        raise ExportError(f"{path}: can't be read as a list of names: {error}") from error
    if len(labels) != count:
        raise ExportError(f"{path}: has {len(labels)} names for {count} classes")
    return labels


def _plan(request: ExportRequest) -> Iterator[_Job]:
    for role, path in request.checkpoints.items():
        checkpoint = open_checkpoint(role, path)
        digest = file_sha256(path)
        for name in models_of(role, checkpoint):
            takes_text = TOKENS in CONTRACTS[name].inputs
            head = checkpoint.config.head
            labels = request.labels.get(role)
            yield _Job(
                name,
                checkpoint,
                Source(
                    checkpoint.config,
                    request.precision,
                    digest,
                    logit_scale=checkpoint.logit_scale,
                    tokenizer=_tokenizer(request, checkpoint) if takes_text else None,
                    labels=read_labels(labels, head.num_classes) if labels and head else None,
                    multi_label=request.multi_label,
                ),
            )


def _tokenizer(request: ExportRequest, checkpoint: Checkpoint) -> str:
    tokenizer = build_tokenizer(request.bpe_dir, checkpoint.config.max_text_tokens)
    if tokenizer.get_vocab_size() > checkpoint.config.text.vocabulary_size:
        raise ExportError(
            f"{request.bpe_dir}: has {tokenizer.get_vocab_size()} ids, "
            f"{checkpoint.path} only {checkpoint.config.text.vocabulary_size}"
        )
    return str(tokenizer.to_str(pretty=False))


def _dtype(precision: Precision) -> torch.dtype:
    return torch.float16 if precision == "fp16" else torch.float32
