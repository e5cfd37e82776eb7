"""Reads the released checkpoint files. Their spelling of names and settings lives here and nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar
from zipfile import is_zipfile

import torch
from torch import Tensor, nn

from export.one_peace.config import (
    HEAD_MODALITIES,
    AudioConfig,
    EncoderConfig,
    HeadConfig,
    ImageConfig,
    Modality,
    ModelConfig,
    TextConfig,
)
from export.one_peace.model import ClassifyModel, EmbeddingModel

EMBEDDING_KIND, CLASSIFY_KIND = "one_peace_retrieval", "one_peace_classify"
Model = TypeVar("Model", bound=nn.Module)
_KINDS = (EMBEDDING_KIND, CLASSIFY_KIND, "one_peace_pretrain")

# our name → the released name, rule by rule
_RULES = [
    (r"^encoder\.final_norms\.(\w+)\.", r"encoder_wrapper.fusion_model.\1_layer_norm."),
    (r"^encoder\.", "encoder_wrapper.fusion_model."),
    (r"\.attention\.query\.", ".self_attn.q_proj."),
    (r"\.attention\.key\.", ".self_attn.k_proj."),
    (r"\.attention\.value\.", ".self_attn.v_proj."),
    (r"\.attention\.output\.", ".self_attn.out_proj."),
    (r"\.attention\.norm\.", ".self_attn.ln."),
    (r"\.attention\.head_scale$", ".self_attn.c_attn"),
    (r"\.attention_norm\.", ".self_attn_layer_norm."),
    (r"\.attention_output_norm\.", ".attn_ln."),
    (r"\.attention_gain$", ".gamma_1"),
    (r"\.ffn_norm\.", ".final_layer_norm."),
    (r"\.ffn_gain$", ".gamma_2"),
    (r"\.ffns\.(\w+)\.gate\.", r".\1_ffn.0.wi_0."),
    (r"\.ffns\.(\w+)\.up\.", r".\1_ffn.0.wi_1."),
    (r"\.ffns\.(\w+)\.norm\.", r".\1_ffn.2."),
    (r"\.ffns\.(\w+)\.down\.", r".\1_ffn.3."),
    (r"^adapters\.(\w+)\.", r"encoder_wrapper.\1_adapter."),
    (r"\.cls_token$", ".cls_embedding"),
    (r"\.second_type_embedding$", ".type_embedding_2"),
    (r"\.embedding_norm\.", ".layernorm_embedding."),
    (r"\.position_bias\.tables\.(\d+)$", r".rel_pos_table_list.\1.weight"),
    (r"text_adapter\.token_embedding$", "text_adapter.embed_tokens.weight"),
    (r"text_adapter\.position_embedding$", "text_adapter.embed_positions.weight"),
    (r"image_adapter\.position_embedding$", "image_adapter.pos_embed"),
    (r"\.patches\.conv_1\.", ".embed_images.0."),
    (r"\.patches\.norm_1\.", ".embed_images.1.layer_norm."),
    (r"\.patches\.conv_2\.", ".embed_images.3."),
    (r"\.patches\.norm_2\.", ".embed_images.4.layer_norm."),
    (r"\.patches\.conv_3\.", ".embed_images.6."),
    (r"\.patches\.weight$", ".embed_images.weight"),
    (r"\.features\.convs\.(\d+)\.", r".embed_audios.0.conv_layers.\1.0."),
    (r"\.features\.norms\.(\d+)\.", r".embed_audios.0.conv_layers.\1.2.1."),
    (r"\.features\.norm\.", ".embed_audios.2."),
    (r"\.features\.projection\.", ".embed_audios.3."),
    (r"\.cls_position$", ".cls_pos_embed"),
    (r"^projections\.(\w+)\.", r"\1_proj."),
    (r"^head\.pooling\.query$", "classify_head.attn_pooling_func.q"),
    (r"^head\.pooling\.key\.", "classify_head.attn_pooling_func.k_proj."),
    (r"^head\.pooling\.value\.", "classify_head.attn_pooling_func.v_proj."),
    (r"^head\.pooling\.output\.", "classify_head.attn_pooling_func.out_proj."),
    (r"^head\.pooling_norm\.", "classify_head.norm."),
    (r"^head\.pooler\.", "classify_head.pooler.1."),
    (r"^head\.hidden\.", "classify_head.classifier.0."),
    (r"^head\.hidden_norm\.", "classify_head.classifier.1."),
    (r"^head\.output\.", "classify_head.classifier.3."),
]
_POSITION_CONV = re.compile(r"\.positions\.convs\.(\d+)\.")  # numbered from 1 in the file
_IGNORED = re.compile(
    r"^decoder_wrapper\.|mask_token|mask_embedding|^logit_scale$|\.version$|\.rp_bucket$|\.position_idx$"
)
_OLD_TABLE = re.compile(r"\.rel_pos_table\.weight$")


class CheckpointError(Exception):
    """The file is not a checkpoint that this project can read; the message names the file and the reason."""


@dataclass(frozen=True)
class Checkpoint:
    """An open checkpoint. Its weights stay in the file until a model is built from them."""

    path: Path
    config: ModelConfig
    state: Mapping[str, Tensor]  # released names

    @property
    def logit_scale(self) -> float | None:
        """Natural logarithm of the factor on a cosine, of embedding models that have one."""
        return float(self.state["logit_scale"]) if "logit_scale" in self.state else None

    def embedding_model(
        self, modalities: Iterable[Modality] | None = None, dtype: torch.dtype = torch.float32
    ) -> EmbeddingModel:
        """Build the branches named by `modalities` (all by default), reading only their weights.

        Raises:
            CheckpointError: the file holds a classify model, or lacks one of the branches.
        """
        if self.config.head is not None:
            raise CheckpointError(f"{self.path}: holds a classify model, not an embedding model")
        wanted = tuple(self.config.modalities if modalities is None else modalities)
        if absent := [modality for modality in wanted if modality not in self.config.modalities]:
            raise CheckpointError(f"{self.path}: has no {absent[0]} branch")
        with torch.device("meta"):
            model = EmbeddingModel(self.config, wanted)
        return self._fill(model, dtype)

    def classify_model(self, dtype: torch.dtype = torch.float32) -> ClassifyModel:
        """Build the classify model.

        Raises:
            CheckpointError: the file holds an embedding model.
        """
        if self.config.head is None:
            raise CheckpointError(f"{self.path}: holds an embedding model, not a classify model")
        with torch.device("meta"):
            model = ClassifyModel(self.config)
        return self._fill(model, dtype)

    def _fill(self, model: Model, dtype: torch.dtype) -> Model:
        weights = {}
        for name, parameter in model.named_parameters():
            stored = self.state.get(released_name(name))
            stored = torch.zeros(parameter.shape) if stored is None else stored  # only `logit_scale` may be absent
            weights[name] = stored.to(dtype)
        model.load_state_dict(weights, assign=True)
        return model.eval()


def load_checkpoint(path: Path) -> Checkpoint:
    """Open a released checkpoint, memory-mapped, and hold its keys and shapes against its own configuration.

    Raises:
        CheckpointError: no such file, not a checkpoint, truncated, or a key is missing, unexpected or mis-shaped.
    """
    content = _read(path)
    if not isinstance(content, dict) or not all(isinstance(content.get(key), dict) for key in ("cfg", "model")):
        raise CheckpointError(f"{path}: has no 'cfg' and 'model', so it is not a ONE-PEACE checkpoint")
    state = {str(key): value for key, value in content["model"].items() if isinstance(value, Tensor)}
    try:
        config = _parse_config(content["cfg"], state)
    except (KeyError, TypeError, ValueError, SyntaxError) as error:
        raise CheckpointError(f"{path}: 'cfg' can't be used: {error}") from error
    state = _complete_tables(state, config)
    _check_keys(path, state, config)
    return Checkpoint(path, config, state)


def released_name(name: str) -> str:
    """A parameter's name in released files, from its name in our modules."""
    name = _POSITION_CONV.sub(lambda match: f".embed_positions.{int(match[1]) + 1}.0.", name)
    for pattern, replacement in _RULES:
        name = re.sub(pattern, replacement, name)
    return name


def released_config(config: ModelConfig) -> dict[str, Any]:
    """The `cfg` of a released file for `config`, as far as inference reads it."""
    head, encoder = config.head, config.encoder
    adapters = {
        "text_adapter": {"bucket_size": config.text.bucket_size, **_adapter_flags(config.text)},
        "image_adapter": {
            "bucket_size": config.image.bucket_size,
            "rel_bucket_size": config.image.relative_bucket_size,
            "vision_encoder_type": config.image.stem,
            **_adapter_flags(config.image),
        },
        "audio_adapter": {
            "feature_encoder_spec": str(list(config.audio.feature_layers)),
            "abs_pos_type": "conv",
            "conv_pos_depth": config.audio.position_depth,
            "conv_pos_width": config.audio.position_width,
            "conv_pos_groups": config.audio.position_groups,
            "conv_pos_pre_ln": False,
            "bucket_size": config.audio.bucket_size,
            "conv_bias": config.audio.conv_bias,
            **_adapter_flags(config.audio),
        },
    }
    model = {
        "_name": EMBEDDING_KIND if head is None else CLASSIFY_KIND,
        "encoder": {
            **adapters,
            "embed_dim": encoder.dim,
            "ffn_embed_dim": encoder.ffn_dim,
            "layers": encoder.layers,
            "attention_heads": encoder.heads,
            "normalize_before": True,
            "scale_heads": encoder.scale_heads,
            "magneto_scale_attn": encoder.norm_before_output,
            "scale_attn": encoder.norm_after_output,
            "scale_fc": encoder.norm_in_ffn,
            "use_layer_scale": encoder.layer_scale,
        },
        "copy_rel_pos_table": config.table_per_layer,
        "head_scale_ratio": 2 if head is None else head.scale_ratio,
        "use_pooler": head is not None and head.use_pooler,
        "attn_pooling": head is None or head.attention_pooling,
        "use_image_features": head is not None and head.use_image_features,
    }
    task = {
        "head_type": next(kind for kind, modalities in HEAD_MODALITIES.items() if modalities == config.modalities),
        "patch_image_size": config.image.image_size,
        "num_classes": None if head is None else head.num_classes,
        "use_two_images": head is not None and head.use_two_images,
        "max_src_length": config.max_text_tokens,
        "max_duration": config.audio.max_duration_s,
    }
    return {"model": model, "task": task}


def _adapter_flags(config: TextConfig | ImageConfig | AudioConfig) -> dict[str, bool]:
    return {
        "layernorm_embedding": config.layernorm_embedding,
        "add_type_embedding": config.add_type_embedding,
        "use_attn_bias": config.use_attn_bias,
    }


def _read(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    if not is_zipfile(path):
        raise CheckpointError(f"{path}: not a PyTorch checkpoint, or cut off before its end")
    try:
        return torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except UnpicklingError as error:
        raise CheckpointError(f"{path}: holds Python objects other than weights and plain settings") from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path}: damaged, or not a PyTorch checkpoint") from error


def _parse_config(cfg: dict[str, Any], state: Mapping[str, Tensor]) -> ModelConfig:
    model, task = cfg["model"], cfg.get("task") or {}
    if model.get("_name") not in _KINDS:
        raise ValueError(f"the model kind {model.get('_name')!r} is none of {', '.join(_KINDS)}")
    classify = model["_name"] == CLASSIFY_KIND
    head_type = task.get("head_type") or ("" if classify else "val")
    if head_type not in HEAD_MODALITIES:
        raise ValueError(f"head_type {head_type!r} is none of {', '.join(HEAD_MODALITIES)}")
    encoder = model["encoder"]
    return ModelConfig(
        encoder=_parse_encoder(encoder),
        text=_parse_text(encoder["text_adapter"], state),
        image=_parse_image(encoder["image_adapter"], task),
        audio=_parse_audio(encoder["audio_adapter"], task),
        modalities=HEAD_MODALITIES[head_type],
        table_per_layer=bool(model.get("copy_rel_pos_table", False)),
        head=_parse_head(model, task) if classify else None,
        max_text_tokens=int(task.get("max_src_length") or 70),
    )


def _parse_encoder(cfg: dict[str, Any]) -> EncoderConfig:
    if not cfg.get("normalize_before", True):
        raise ValueError("normalize_before=false is not supported")
    if int(cfg["embed_dim"]) % int(cfg["attention_heads"]):
        raise ValueError("embed_dim is not a multiple of attention_heads")
    return EncoderConfig(
        dim=int(cfg["embed_dim"]),
        ffn_dim=int(cfg["ffn_embed_dim"]),
        layers=int(cfg["layers"]),
        heads=int(cfg["attention_heads"]),
        scale_heads=bool(cfg.get("scale_heads", False)),
        norm_before_output=bool(cfg.get("magneto_scale_attn", True)),
        norm_after_output=bool(cfg.get("scale_attn", False)),
        norm_in_ffn=bool(cfg.get("scale_fc", True)),
        layer_scale=bool(cfg.get("use_layer_scale", True)),
    )


def _parse_flags(cfg: dict[str, Any]) -> dict[str, Any]:
    return {
        "bucket_size": int(cfg["bucket_size"]),
        "layernorm_embedding": bool(cfg.get("layernorm_embedding", False)),
        "add_type_embedding": bool(cfg.get("add_type_embedding", False)),
        "use_attn_bias": bool(cfg.get("use_attn_bias", True)),
    }


def _parse_text(cfg: dict[str, Any], state: Mapping[str, Tensor]) -> TextConfig:
    prefix = "encoder_wrapper.text_adapter."
    sizes: dict[str, Any] = {}
    for field, key in (("vocabulary_size", "embed_tokens.weight"), ("max_positions", "embed_positions.weight")):
        if (table := state.get(prefix + key)) is not None and table.ndim == 2:
            sizes[field] = table.shape[0]
    return TextConfig(**_parse_flags(cfg), **sizes)


def _parse_image(cfg: dict[str, Any], task: dict[str, Any]) -> ImageConfig:
    size = int(task.get("patch_image_size") or 256)
    relative = int(cfg.get("rel_bucket_size", size // 16))
    stem = cfg.get("vision_encoder_type", "hmlp")
    if stem not in ("hmlp", "mlp"):
        raise ValueError(f"vision_encoder_type {stem!r} is neither 'hmlp' nor 'mlp'")
    if cfg.get("use_attn_bias", True) and relative != size // 16:
        raise ValueError(f"rel_bucket_size {relative} does not fit patch_image_size {size}")
    return ImageConfig(**_parse_flags(cfg), image_size=size, relative_bucket_size=relative, stem=stem)


def _parse_audio(cfg: dict[str, Any], task: dict[str, Any]) -> AudioConfig:
    if cfg.get("abs_pos_type", "conv") != "conv" or cfg.get("conv_pos_pre_ln", False):
        raise ValueError("only abs_pos_type 'conv' without conv_pos_pre_ln is supported")
    return AudioConfig(
        **_parse_flags(cfg),
        feature_layers=_parse_layers(ast.parse(str(cfg["feature_encoder_spec"]), mode="eval").body),
        conv_bias=bool(cfg.get("conv_bias", False)),
        position_depth=int(cfg.get("conv_pos_depth", 5)),
        position_width=int(cfg.get("conv_pos_width", 95)),
        position_groups=int(cfg.get("conv_pos_groups", 16)),
        max_duration_s=float(task.get("max_duration") or 15),
    )


def _parse_layers(node: ast.expr) -> tuple[tuple[int, int, int], ...]:
    """Read a list of triples written with `+` and `* n`, without running it."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _parse_layers(node.left) + _parse_layers(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _parse_layers(node.left) * int(ast.literal_eval(node.right))
    return tuple((int(channels), int(kernel), int(stride)) for channels, kernel, stride in ast.literal_eval(node))


def _parse_head(model: dict[str, Any], task: dict[str, Any]) -> HeadConfig:
    return HeadConfig(
        num_classes=int(task["num_classes"]),
        scale_ratio=int(model.get("head_scale_ratio", 2)),
        attention_pooling=bool(model.get("attn_pooling", True)),
        use_pooler=bool(model.get("use_pooler", False)),
        use_image_features=bool(model.get("use_image_features", False)),
        use_two_images=bool(task.get("use_two_images", False)),
    )


def _complete_tables(state: dict[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Rename the table of older files; where only table 0 is stored it serves every layer."""
    state = {_OLD_TABLE.sub(".rel_pos_table_list.0.weight", key): value for key, value in state.items()}
    for modality in config.modalities:
        tables = f"encoder_wrapper.{modality}_adapter.rel_pos_table_list"
        stored = sum(key.startswith(tables + ".") for key in state)
        if stored == 1 and f"{tables}.0.weight" in state:
            for number in range(1, config.num_tables):
                state[f"{tables}.{number}.weight"] = state[f"{tables}.0.weight"]
    return state


def _check_keys(path: Path, state: Mapping[str, Tensor], config: ModelConfig) -> None:
    with torch.device("meta"):
        model = EmbeddingModel(config) if config.head is None else ClassifyModel(config)
    shapes = {released_name(name): tuple(parameter.shape) for name, parameter in model.named_parameters()}
    shapes.pop("logit_scale", None)
    for key, shape in shapes.items():
        if key not in state:
            raise CheckpointError(f"{path}: '{key}' is missing")
        if tuple(state[key].shape) != shape:
            raise CheckpointError(f"{path}: '{key}' has shape {list(state[key].shape)} instead of {list(shape)}")
        if not state[key].is_floating_point():
            raise CheckpointError(f"{path}: '{key}' holds {state[key].dtype}, not floating-point numbers")
    if unexpected := [key for key in state if key not in shapes and not _IGNORED.search(key)]:
        raise CheckpointError(f"{path}: '{unexpected[0]}' is unexpected")
