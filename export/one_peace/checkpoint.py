"""Reads the released checkpoint files. Their spelling of names lives here; of settings, in `released_config`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar
from zipfile import is_zipfile

import torch
from torch import Tensor, nn

from export.one_peace.config import Modality, ModelConfig
from export.one_peace.model import ClassifyModel, EmbeddingModel
from export.one_peace.released_config import parse_config, released_config

Model = TypeVar("Model", bound=nn.Module)

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
    state = _tensors(path, content["model"])
    try:
        config = parse_config(content["cfg"], {key: tuple(value.shape) for key, value in state.items()})
    except ValueError as error:
        raise CheckpointError(f"{path}: 'cfg' can't be used: {error}") from error
    state = _complete_tables(state, config)
    _check_keys(path, state, config)
    return Checkpoint(path, config, state)


def write_checkpoint(path: Path, config: ModelConfig, state: Mapping[str, Tensor]) -> None:
    """Write a checkpoint in the released format, all of it or nothing; `state` holds released names."""
    staged = path.with_name(path.name + ".part")
    torch.save({"args": None, "cfg": released_config(config), "model": dict(state)}, staged)
    staged.replace(path)


def released_name(name: str) -> str:
    """A parameter's name in released files, from its name in our modules."""
    name = _POSITION_CONV.sub(lambda match: f".embed_positions.{int(match[1]) + 1}.0.", name)
    for pattern, replacement in _RULES:
        name = re.sub(pattern, replacement, name)
    return name


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


def _tensors(path: Path, stored: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The weights; whatever else stands among them must be one of the keys that inference does not use."""
    for key, value in stored.items():
        if not isinstance(value, Tensor) and not _IGNORED.search(str(key)):
            raise CheckpointError(f"{path}: '{key}' holds a {type(value).__name__} instead of a tensor")
    state = {str(key): value for key, value in stored.items() if isinstance(value, Tensor)}
    if (scale := state.get("logit_scale")) is not None:
        if scale.numel() != 1 or not scale.is_floating_point():
            raise CheckpointError(f"{path}: 'logit_scale' has shape {list(scale.shape)} instead of []")
        state["logit_scale"] = scale.reshape(())
    return state


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
