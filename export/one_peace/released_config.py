"""Reads and writes the `cfg` of a released checkpoint. Its spelling of settings lives here alone."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from export.one_peace.audio_adapter import max_frames
from export.one_peace.config import (
    HEAD_MODALITIES,
    MAX_RELATIVE_DISTANCE,
    PATCH,
    AdapterConfig,
    AudioConfig,
    EncoderConfig,
    HeadConfig,
    ImageConfig,
    Modality,
    ModelConfig,
    TextConfig,
)

EMBEDDING_KIND, CLASSIFY_KIND, PRETRAIN_KIND = "one_peace_retrieval", "one_peace_classify", "one_peace_pretrain"
_KINDS = (EMBEDDING_KIND, CLASSIFY_KIND, PRETRAIN_KIND)
# Settings of the encoder that change the result, with the only value that is computed here.
_FIXED = {"normalize_before": True, "activation_fn": "gelu"}
# Of the audio adapter.
_FIXED_AUDIO = {"abs_pos_type": "conv", "conv_pos_pre_ln": False}
# Of the head; only early revisions of the reference (188f1af) knew these.
_FIXED_HEAD = {"mean_pooling": False, "classify_with_gelu": True}

Shapes = Mapping[str, tuple[int, ...]]


def parse_config(cfg: Mapping[str, Any], shapes: Shapes) -> ModelConfig:
    """Read `cfg`. `shapes` of the weights by released name give the sizes that it does not hold.

    Raises:
        ValueError: a setting is missing, of the wrong type, or not supported; the message names it.
    """
    model = _section(cfg, "model")
    task = _section(cfg, "task") if cfg.get("task") is not None else {}
    kind = model.get("_name")
    if kind not in _KINDS:
        raise ValueError(f"the model kind {kind!r} is none of {', '.join(_KINDS)}")
    modalities = _parse_modalities(task, kind)
    encoder = _section(model, "encoder")
    if kind != PRETRAIN_KIND:  # the reference sets these from head_type, pretraining sets them as it likes
        _refuse_others(encoder, {f"use_{modality}_moe": True for modality in modalities})
    config = ModelConfig(
        encoder=_parse_encoder(encoder),
        text=_parse_text(_section(encoder, "text_adapter"), shapes),
        image=_parse_image(_section(encoder, "image_adapter"), task),
        audio=_parse_audio(_section(encoder, "audio_adapter"), task),
        modalities=modalities,
        table_per_layer=bool(model.get("copy_rel_pos_table", False)),
        head=_parse_head(model, task) if kind == CLASSIFY_KIND else None,
        max_text_tokens=_positive(task, "max_src_length", 70),
    )
    _check_sizes(config)
    return config


def _parse_modalities(task: Mapping[str, Any], kind: str) -> tuple[Modality, ...]:
    head_type = task.get("head_type") or ("" if kind == CLASSIFY_KIND else "val")
    if not isinstance(head_type, str) or head_type not in HEAD_MODALITIES:
        raise ValueError(f"head_type {head_type!r} is none of {', '.join(HEAD_MODALITIES)}")
    return HEAD_MODALITIES[head_type]


def _parse_encoder(cfg: Mapping[str, Any]) -> EncoderConfig:
    _refuse_others(cfg, _FIXED)
    return EncoderConfig(
        dim=_positive(cfg, "embed_dim"),
        ffn_dim=_positive(cfg, "ffn_embed_dim"),
        layers=_positive(cfg, "layers"),
        heads=_positive(cfg, "attention_heads"),
        scale_heads=bool(cfg.get("scale_heads", False)),
        norm_before_output=bool(cfg.get("magneto_scale_attn", True)),
        norm_after_output=bool(cfg.get("scale_attn", False)),
        norm_in_ffn=bool(cfg.get("scale_fc", True)),
        layer_scale=bool(cfg.get("use_layer_scale", True)),
    )


def _parse_flags(cfg: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "bucket_size": _positive(cfg, "bucket_size"),
        "layernorm_embedding": bool(cfg.get("layernorm_embedding", False)),
        "add_type_embedding": bool(cfg.get("add_type_embedding", False)),
        "use_attn_bias": bool(cfg.get("use_attn_bias", True)),
    }


def _parse_text(cfg: Mapping[str, Any], shapes: Shapes) -> TextConfig:
    prefix = "encoder_wrapper.text_adapter."
    sizes: dict[str, Any] = {}
    for field, key in (("vocabulary_size", "embed_tokens.weight"), ("max_positions", "embed_positions.weight")):
        if len(shape := shapes.get(prefix + key, ())) == 2:
            sizes[field] = shape[0]
    return TextConfig(**_parse_flags(cfg), **sizes)


def _parse_image(cfg: Mapping[str, Any], task: Mapping[str, Any]) -> ImageConfig:
    size = _positive(task, "patch_image_size", 256)
    if size % PATCH:
        raise ValueError(f"patch_image_size {size} is not a multiple of {PATCH}")
    relative = _positive(cfg, "rel_bucket_size", size // PATCH)
    stem = cfg.get("vision_encoder_type", "hmlp")
    if stem not in ("hmlp", "mlp"):
        raise ValueError(f"vision_encoder_type {stem!r} is neither 'hmlp' nor 'mlp'")
    if cfg.get("use_attn_bias", True) and relative != size // PATCH:
        raise ValueError(f"rel_bucket_size {relative} does not fit patch_image_size {size}")
    return ImageConfig(**_parse_flags(cfg), image_size=size, relative_bucket_size=relative, stem=stem)


def _parse_audio(cfg: Mapping[str, Any], task: Mapping[str, Any]) -> AudioConfig:
    _refuse_others(cfg, _FIXED_AUDIO)
    duration_s = task.get("max_duration") or 15
    if not isinstance(duration_s, int | float) or duration_s < 1:
        raise ValueError(f"max_duration {duration_s!r} is not a number of seconds from 1 on")
    return AudioConfig(
        **_parse_flags(cfg),
        feature_layers=_feature_layers(cfg.get("feature_encoder_spec")),
        conv_bias=bool(cfg.get("conv_bias", False)),
        position_depth=_positive(cfg, "conv_pos_depth", 5),
        position_width=_positive(cfg, "conv_pos_width", 95),
        position_groups=_positive(cfg, "conv_pos_groups", 16),
        max_duration_s=float(duration_s),
    )


def _feature_layers(spec: Any) -> tuple[tuple[int, int, int], ...]:
    try:
        layers = _evaluate_layers(ast.parse(str(spec), mode="eval").body)
    except (ValueError, TypeError, SyntaxError) as error:
        raise ValueError(f"feature_encoder_spec {spec!r} is no list of (channels, kernel, stride)") from error
    if not layers or min(map(min, layers)) < 1:
        raise ValueError(f"feature_encoder_spec {spec!r} holds no layers, or numbers below 1")
    return layers


def _evaluate_layers(node: ast.expr) -> tuple[tuple[int, int, int], ...]:
    """Read a list of triples written with `+` and `* n`, without running it."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _evaluate_layers(node.left) + _evaluate_layers(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _evaluate_layers(node.left) * int(ast.literal_eval(node.right))
    return tuple((int(channels), int(kernel), int(stride)) for channels, kernel, stride in ast.literal_eval(node))


def _parse_head(model: Mapping[str, Any], task: Mapping[str, Any]) -> HeadConfig:
    _refuse_others(model, _FIXED_HEAD)
    return HeadConfig(
        num_classes=_positive(task, "num_classes"),
        scale_ratio=_positive(model, "head_scale_ratio", 2),
        attention_pooling=bool(model.get("attn_pooling", True)),
        use_pooler=bool(model.get("use_pooler", False)),
        use_image_features=bool(model.get("use_image_features", False)),
        use_two_images=bool(task.get("use_two_images", False)),
    )


def _check_sizes(config: ModelConfig) -> None:
    """Hold the sizes against each other, as far as the branches in use need it."""
    encoder, text, audio = config.encoder, config.text, config.audio
    if encoder.dim % encoder.heads:
        raise ValueError(f"embed_dim {encoder.dim} is not a multiple of attention_heads {encoder.heads}")
    if "text" in config.modalities:
        positions, limit = config.max_text_tokens + 2, min(text.max_positions, MAX_RELATIVE_DISTANCE)
        if positions > limit:
            raise ValueError(f"max_src_length {config.max_text_tokens} exceeds {limit - 2}, which the positions allow")
    if "audio" in config.modalities:
        if encoder.dim % audio.position_groups:
            raise ValueError(f"embed_dim {encoder.dim} is not a multiple of conv_pos_groups {audio.position_groups}")
        if max_frames(audio) + 1 > MAX_RELATIVE_DISTANCE:
            longest_s = audio.max_duration_s * (MAX_RELATIVE_DISTANCE - 1) / max_frames(audio)
            raise ValueError(
                f"max_duration {audio.max_duration_s:g} s exceeds {longest_s:.1f} s, which the bias allows"
            )
        if max_frames(audio) < 1:
            raise ValueError(f"feature_encoder_spec makes no frame of {audio.max_duration_s:g} s")


def _section(cfg: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    if not isinstance(section := cfg.get(key), Mapping):
        raise ValueError(f"'{key}' is missing or holds no settings")
    return section


def _positive(cfg: Mapping[str, Any], key: str, default: int | None = None) -> int:
    """A whole number from 1 on; `default` where the key is absent or null."""
    value = default if cfg.get(key) is None else cfg[key]
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 1 or value != int(value):
        raise ValueError(f"{key} {value!r} is not a whole number from 1 on")
    return int(value)


def _refuse_others(cfg: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
    for key, value in fixed.items():
        if cfg.get(key, value) != value:
            raise ValueError(f"{key} {cfg[key]!r} is not supported, only {value!r}")


def released_config(config: ModelConfig) -> dict[str, Any]:
    """The `cfg` of a released file for `config`, as far as inference reads it."""
    head = config.head
    model = {
        "_name": EMBEDDING_KIND if head is None else CLASSIFY_KIND,
        "encoder": {**_adapter_settings(config), **_encoder_settings(config.encoder)},
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


def _adapter_settings(config: ModelConfig) -> dict[str, dict[str, Any]]:
    image, audio = config.image, config.audio
    return {
        "text_adapter": _adapter_flags(config.text),
        "image_adapter": {
            "rel_bucket_size": image.relative_bucket_size,
            "vision_encoder_type": image.stem,
            **_adapter_flags(image),
        },
        "audio_adapter": {
            "feature_encoder_spec": str(list(audio.feature_layers)),
            "abs_pos_type": "conv",
            "conv_pos_depth": audio.position_depth,
            "conv_pos_width": audio.position_width,
            "conv_pos_groups": audio.position_groups,
            "conv_pos_pre_ln": False,
            "conv_bias": audio.conv_bias,
            **_adapter_flags(audio),
        },
    }


def _adapter_flags(config: AdapterConfig) -> dict[str, Any]:
    return {
        "bucket_size": config.bucket_size,
        "layernorm_embedding": config.layernorm_embedding,
        "add_type_embedding": config.add_type_embedding,
        "use_attn_bias": config.use_attn_bias,
    }


def _encoder_settings(encoder: EncoderConfig) -> dict[str, Any]:
    return {
        "embed_dim": encoder.dim,
        "ffn_embed_dim": encoder.ffn_dim,
        "layers": encoder.layers,
        "attention_heads": encoder.heads,
        "normalize_before": True,
        "activation_fn": "gelu",
        "scale_heads": encoder.scale_heads,
        "magneto_scale_attn": encoder.norm_before_output,
        "scale_attn": encoder.norm_after_output,
        "scale_fc": encoder.norm_in_ffn,
        "use_layer_scale": encoder.layer_scale,
    }
