"""One model's folder in the repository: graph, weights, configuration, card."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx_ir as ir

from export.one_peace.audio_adapter import SAMPLE_RATE_HZ
from export.one_peace.config import ModelConfig
from export.triton.config import native_config, write_native
from service.fingerprint import WEIGHTS_FILE, fingerprint
from service.repository import (
    CARD_FILE,
    CONTRACTS,
    EMBEDDING_MODELS,
    LABELS_FILE,
    LOGITS,
    MODEL_FILE,
    PIXELS,
    TOKENIZER_FILE,
    TOKENS,
    WAVEFORM,
    Activation,
    ModelCard,
    ModelFolder,
    Precision,
)

MAX_SINGLE_FILE_BYTES = 2_000_000_000  # a protobuf message ends at 2 GiB
MIN_AUDIO_S = 1.0
ACTIVATIONS: dict[str, Activation] = {
    "audio_labels": "softmax",
    "vqa": "sigmoid",
    "audio_qa": "softmax",  # over the candidate answers of one question
    "image_pair": "softmax",
}


@dataclass(frozen=True)
class Source:
    """What a model is made from, besides its weights."""

    config: ModelConfig
    precision: Precision
    checkpoint_sha256: str
    logit_scale: float | None = None
    tokenizer: str | None = None  # the text of `tokenizer.json`
    labels: tuple[str, ...] | None = None
    multi_label: bool = False  # audio labels that don't exclude each other


def write_model(folder: Path, graph: ir.Model, source: Source) -> None:
    """Write the model named by `folder`, whose parent exists, and everything that belongs to it."""
    name = folder.name
    (folder / MODEL_FILE).parent.mkdir(parents=True)
    save_graph(graph, folder / MODEL_FILE)
    if source.tokenizer is not None:
        (folder / TOKENIZER_FILE).write_text(source.tokenizer, encoding="utf-8")
    if source.labels is not None:
        (folder / LABELS_FILE).write_text("".join(f"{label}\n" for label in source.labels), encoding="utf-8")
    sizes = card_sizes(name, source)
    card = ModelCard(
        model=name,
        fingerprint=fingerprint(folder, sizes),
        precision=source.precision,
        checkpoint_sha256=source.checkpoint_sha256,
        exported_at=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={package: version(package) for package in ("onnxruntime", "onnx", "torch")},
        **sizes,
    )
    (folder / CARD_FILE).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    write_native(ModelFolder(name, folder, card, native_config(card), source.labels))


def save_graph(graph: ir.Model, path: Path) -> None:
    """Write a graph; weights of more than 2 GB go to a file beside it."""
    weights = [value.const_value for value in graph.graph.initializers.values() if value.const_value is not None]
    if sum(tensor.nbytes for tensor in weights) > MAX_SINGLE_FILE_BYTES:
        ir.save(graph, path, external_data=WEIGHTS_FILE)
    else:
        ir.save(graph, path)


def card_sizes(name: str, source: Source) -> dict[str, Any]:
    """The card's fields on the shape and preprocessing of the inputs and of the output."""
    contract, config = CONTRACTS[name], source.config
    sizes: dict[str, Any] = {}
    if name in EMBEDDING_MODELS:
        sizes |= {"embedding_dim": config.encoder.dim, "logit_scale": source.logit_scale}
    if PIXELS in contract.inputs:
        sizes["image_size"] = config.image.image_size
    if TOKENS in contract.inputs:
        sizes["max_tokens"] = config.max_text_tokens + 1
    if WAVEFORM in contract.inputs:
        seconds = config.audio.max_duration_s
        sizes |= {"sample_rate_hz": SAMPLE_RATE_HZ, "min_audio_s": MIN_AUDIO_S, "max_audio_s": seconds}
    if contract.output == LOGITS and config.head is not None:
        multi_label = source.multi_label and name == "audio_labels"
        activation = "sigmoid" if multi_label else ACTIVATIONS[name]
        sizes |= {"num_labels": config.head.num_classes, "activation": activation}
    return sizes
