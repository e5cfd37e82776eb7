"""The model repository: the one artifact that export writes and that the gateway and Triton run.

    model_repository/<model>/  config.pbtxt  card.json  1/model.onnx  [tokenizer.json]  [labels.txt]

`CONTRACTS` names every model's tensors; `config.pbtxt` is read and written through Triton's own protobuf class.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from google.protobuf import text_format
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tritonclient.grpc import model_config_pb2

PAD_TOKEN = 1
CONFIG_FILE, CARD_FILE, TOKENIZER_FILE, LABELS_FILE = (
    "config.pbtxt",
    "card.json",
    "tokenizer.json",
    "labels.txt",
)
MODEL_FILE = Path("1") / "model.onnx"
EMBEDDING_MODELS = ("text", "image", "audio")

DataType = Literal["INT64", "UINT8", "FP32"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]
Activation = Literal["softmax", "sigmoid"]


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output. `dims` leaves the batch axis out; −1 is a dynamic length, a letter a size of the card."""

    name: str
    data_type: DataType
    dims: tuple[int | str, ...]


TOKENS = Tensor("tokens", "INT64", (-1,))  # pad id 1
PIXELS = Tensor("pixels", "UINT8", (3, "S", "S"))  # RGB [0, 255], already resized
PIXELS_2 = Tensor("pixels_2", "UINT8", (3, "S", "S"))
WAVEFORM = Tensor("waveform", "FP32", (-1,))  # 16 kHz, normalised, zero-padded
NUM_SAMPLES = Tensor("num_samples", "INT64", (1,))
EMBEDDING = Tensor("embedding", "FP32", ("D",))  # L2-normalised
BOX = Tensor("box", "FP32", (4,))  # x0, y0, x1, y1 as fractions of width and height
LOGITS = Tensor("logits", "FP32", ("C",))


@dataclass(frozen=True, slots=True)
class Contract:
    """The tensors of one model."""

    inputs: tuple[Tensor, ...]
    output: Tensor


CONTRACTS: dict[str, Contract] = {
    "text": Contract((TOKENS,), EMBEDDING),
    "image": Contract((PIXELS,), EMBEDDING),
    "audio": Contract((WAVEFORM, NUM_SAMPLES), EMBEDDING),
    "grounding": Contract((PIXELS, TOKENS), BOX),
    "audio_labels": Contract((WAVEFORM, NUM_SAMPLES), LOGITS),
    "vqa": Contract((PIXELS, TOKENS), LOGITS),
    "audio_qa": Contract((WAVEFORM, NUM_SAMPLES, TOKENS), LOGITS),
    "image_pair": Contract((PIXELS, PIXELS_2, TOKENS), LOGITS),
}


class ModelCard(BaseModel):
    """`card.json`: what a model is and what its inputs must look like. Fields that don't apply are null."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    model: str
    fingerprint: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="SHA-256 of weights, graph, tokenizer, preprocessing"
    )
    embedding_dim: int | None = None
    image_size: int | None = Field(None, description="side S of the square input, pixels")
    sample_rate_hz: int | None = None
    min_audio_s: float | None = Field(None, description="a shorter clip is repeated until it fills this")
    max_audio_s: float | None = Field(None, description="a longer clip is cut to this")
    max_tokens: int | None = Field(None, description="ids of one text, the end token included")
    num_labels: int | None = Field(None, description="width C of `logits`")
    activation: Activation | None = Field(None, description="what turns `logits` into probabilities")
    logit_scale: float | None = Field(None, description="natural logarithm of the factor on a cosine")
    trained_dimensions: list[int] = Field(default_factory=list, description="prefixes trained to stand alone")
    precision: Precision = "fp32"
    checkpoint_sha256: str = ""
    exported_at: str = ""
    versions: dict[str, str] = Field(default_factory=dict)

    def dims(self, tensor: Tensor) -> list[int]:
        """The dimensions of one of the model's tensors, with the card's sizes in the place of letters."""
        letters = {"S": self.image_size, "D": self.embedding_dim, "C": self.num_labels}
        return [int(dim if isinstance(dim, int) else letters[dim] or 0) for dim in tensor.dims]


class RepositoryError(Exception):
    """The model repository can't be served; the message names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """One model of the repository, its small files read and checked."""

    name: str
    path: Path
    card: ModelCard
    config: Any  # model_config_pb2.ModelConfig
    labels: tuple[str, ...] | None

    @property
    def onnx_path(self) -> Path:
        """The graph; weights over 2 GB lie beside it."""
        return self.path / MODEL_FILE

    @property
    def tokenizer_path(self) -> Path:
        """The text pipeline, for models that take `tokens`."""
        return self.path / TOKENIZER_FILE

    @property
    def max_batch_size(self) -> int:
        """Largest number of rows in one call."""
        return max(1, int(self.config.max_batch_size))

    @property
    def instances(self) -> int:
        """How many calls may run at once."""
        return max(1, sum(max(1, int(group.count)) for group in self.config.instance_group))

    @property
    def length_buckets(self) -> tuple[int, ...]:
        """Upper bounds of the length groups, ascending: token ids, or samples for audio. Empty: one group."""
        return tuple(int(part) for part in self._parameter("length_buckets").split(",") if part)

    @property
    def max_batch_positions(self) -> int | None:
        """Largest rows × length of one call, in token ids or samples; None: no such bound."""
        value = self._parameter("max_batch_positions")
        return int(value) if value else None

    def _parameter(self, name: str) -> str:
        # Asking a protobuf map for an absent key would add it.
        return str(self.config.parameters[name].string_value) if name in self.config.parameters else ""


def read_config(path: Path) -> Any:
    """Parse a `config.pbtxt` into `ModelConfig`.

    Raises:
        RepositoryError: the file is missing or is not a model configuration.
    """
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise RepositoryError(f"{path}: {error}") from error


def write_config(config: Any, path: Path) -> None:
    """Write a `ModelConfig` as text."""
    path.write_text(text_format.MessageToString(config), encoding="utf-8")


def read_card(path: Path) -> ModelCard:
    """Read a `card.json`.

    Raises:
        RepositoryError: the file is missing or does not hold a card.
    """
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RepositoryError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise RepositoryError(f"{path}: {place or 'the file'}: {first['msg']}") from error


def read_model(path: Path, *, needs_graph: bool = True) -> ModelFolder:
    """Read one model's folder and hold its files against each other.

    `needs_graph`: whether the graph must be there; who only asks a Triton has no use for it.

    Raises:
        RepositoryError: a file is missing, unreadable, or contradicts the card or the contract.
    """
    name = path.name
    card, config = read_card(path / CARD_FILE), read_config(path / CONFIG_FILE)
    if card.model != name:
        raise RepositoryError(f"{path / CARD_FILE}: is the card of '{card.model}'")
    if config.parameters["fingerprint"].string_value != card.fingerprint:
        raise RepositoryError(f"{path}: config.pbtxt and card.json have different fingerprints")
    contract = CONTRACTS[name]
    for kind, found, wanted in (
        ("inputs", config.input, contract.inputs),
        ("outputs", config.output, (contract.output,)),
    ):
        have = [
            _describe(tensor.name, model_config_pb2.DataType.Name(tensor.data_type), tensor.dims) for tensor in found
        ]
        want = [_describe(tensor.name, f"TYPE_{tensor.data_type}", card.dims(tensor)) for tensor in wanted]
        if have != want:
            raise RepositoryError(f"{path / CONFIG_FILE}: {kind} are {', '.join(have)}, not {', '.join(want)}")
    needed = [MODEL_FILE] * needs_graph + [Path(TOKENIZER_FILE)] * (TOKENS in contract.inputs)
    for file in needed:
        if not (path / file).is_file():
            raise RepositoryError(f"{path / file}: missing")
    return ModelFolder(name, path, card, config, _read_labels(path / LABELS_FILE, card))


def read_repository(path: Path, *, needs_graphs: bool = True) -> dict[str, ModelFolder]:
    """Read every model below `path`, by name; see `read_model`.

    Raises:
        RepositoryError: `path` is not a folder, holds no model, or one of its models is broken.
    """
    if not path.is_dir():
        raise RepositoryError(f"{path}: no such folder")
    models = {
        name: read_model(path / name, needs_graph=needs_graphs)
        for name in CONTRACTS
        if (path / name / CONFIG_FILE).is_file()
    }
    if not models:
        raise RepositoryError(f"{path}: holds none of the models {', '.join(CONTRACTS)}")
    check_space([models[name] for name in EMBEDDING_MODELS if name in models])
    return models


def check_space(models: list[ModelFolder]) -> None:
    """Make sure that the embedding models come from one checkpoint: only then do their vectors compare.

    Raises:
        RepositoryError: names the two that differ.
    """
    for model in models[1:]:
        for field in ("checkpoint_sha256", "embedding_dim", "logit_scale"):
            mine, first = getattr(model.card, field), getattr(models[0].card, field)
            if mine != first:
                raise RepositoryError(
                    f"{model.path} and {models[0].path} are not of one space: {field} is {mine} and {first}"
                )


def space_fingerprint(models: dict[str, ModelFolder]) -> str:
    """SHA-256 over the embedding models' fingerprints: names the space that text, image and audio share."""
    lines = [f"{name} {models[name].card.fingerprint}" for name in EMBEDDING_MODELS if name in models]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _describe(name: str, data_type: str, dims: Iterable[int]) -> str:
    return f"{name} {data_type} {list(dims)}"


def _read_labels(path: Path, card: ModelCard) -> tuple[str, ...] | None:
    if not path.is_file():
        return None
    labels = tuple(path.read_text(encoding="utf-8").splitlines())
    if len(labels) != card.num_labels:
        raise RepositoryError(f"{path}: {len(labels)} labels for {card.num_labels} logits")
    return labels
