"""The configuration that every model has, whatever runs it: tensors, batching, our batcher's bounds, warm-up."""

from __future__ import annotations

from typing import Any

from tritonclient.grpc import model_config_pb2

from export.triton.warmup import set_warmups, write_warmup_files
from service.repository import CONFIG_FILE, CONTRACTS, WAVEFORM, ModelCard, ModelFolder, write_config

MAX_QUEUE_DELAY_US = 500
TOKEN_BUCKETS = (8, 16, 24, 32, 48)
AUDIO_BUCKETS_S = (1, 2, 4, 6, 8, 10)
MAX_BATCH_SIZES = {"text": 64, "audio": 16, "audio_labels": 16}
DEFAULT_MAX_BATCH_SIZE = 8  # pictures; docs/export.md tells why not more
MAX_BATCH_AUDIO_S = 16  # seconds of sound in one call, some 800 tokens


def native_config(card: ModelCard) -> Any:
    """The `ModelConfig` message of a model that ONNX Runtime runs, without its warm-up."""
    contract = CONTRACTS[card.model]
    message = model_config_pb2.ModelConfig(
        name=card.model,
        platform="onnxruntime_onnx",
        backend="onnxruntime",
        max_batch_size=MAX_BATCH_SIZES.get(card.model, DEFAULT_MAX_BATCH_SIZE),
    )
    for tensor in contract.inputs:
        message.input.add(name=tensor.name, data_type=f"TYPE_{tensor.data_type}", dims=card.dims(tensor))
    output = contract.output
    message.output.add(name=output.name, data_type=f"TYPE_{output.data_type}", dims=card.dims(output))
    message.dynamic_batching.max_queue_delay_microseconds = MAX_QUEUE_DELAY_US
    message.instance_group.add(count=1)
    message.parameters["fingerprint"].string_value = card.fingerprint
    if buckets := length_buckets(card):
        message.parameters["length_buckets"].string_value = ",".join(map(str, buckets))
    if WAVEFORM in contract.inputs and card.sample_rate_hz is not None:
        message.parameters["max_batch_positions"].string_value = str(MAX_BATCH_AUDIO_S * card.sample_rate_hz)
    return message


def length_buckets(card: ModelCard) -> tuple[int, ...]:
    """Upper bounds of the groups by length: samples where there is sound, else token ids; none for images."""
    if card.max_audio_s is not None and card.sample_rate_hz is not None:
        seconds = [*(bound for bound in AUDIO_BUCKETS_S if bound < card.max_audio_s), card.max_audio_s]
        return tuple(int(bound * card.sample_rate_hz) for bound in seconds)
    if card.max_tokens is not None:
        return (*(bound for bound in TOKEN_BUCKETS if bound < card.max_tokens), card.max_tokens)
    return ()


def write_native(model: ModelFolder) -> None:
    """Write the configuration of a model whose other files lie in its folder, with its warm-up."""
    set_warmups(model)
    write_config(model.config, model.path / CONFIG_FILE)
    write_warmup_files(model)
