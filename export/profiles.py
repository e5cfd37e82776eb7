"""The shapes that a model meets: how many rows of which length, as optimisation profiles and as warm-up sizes."""

from __future__ import annotations

from dataclasses import dataclass

from service.repository import CONTRACTS, TOKENS, WAVEFORM, ModelFolder, Tensor

TYPICAL_TOKENS = 16  # of a question that goes with a sound, whose own length is not bucketed
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Profile:
    """Shapes of every input, the batch axis included: the smallest, the one to tune for, the largest."""

    min: Shapes
    opt: Shapes
    max: Shapes


def bucket_bounds(model: ModelFolder) -> tuple[int, ...]:
    """Upper bounds of the length buckets, ascending, up to the longest input; empty for a model of images."""
    longest = longest_input(model)
    return (*(bound for bound in model.length_buckets if longest and bound < longest[0]), *longest)


def longest_input(model: ModelFolder) -> tuple[int, ...]:
    """Samples or token ids of the longest input; empty for a model that takes neither."""
    card, inputs = model.card, CONTRACTS[model.name].inputs
    if WAVEFORM in inputs:
        return (int((card.max_audio_s or 0) * (card.sample_rate_hz or 0)),)
    return (card.max_tokens or 1,) if TOKENS in inputs else ()


def largest_batch(model: ModelFolder, bound: int) -> int:
    """Rows of the largest batch that the gateway sends of a bucket: `max_batch_positions` bounds rows × length."""
    positions = model.max_batch_positions
    return model.max_batch_size if positions is None else max(1, min(model.max_batch_size, positions // max(1, bound)))


def bucket_profiles(model: ModelFolder) -> tuple[Profile, ...]:
    """One profile for each bucket, from just above the bucket before it; together they cover every length.

    Tuned for the gateway's largest batch of that bucket. The range goes on to `max_batch_size` rows, because
    Triton merges what several gateways send by counting rows, not positions.
    """
    shortest, profiles = _shortest(model), []
    for bound in bucket_bounds(model) or (0,):
        lengths = (min(shortest, bound), bound, bound)
        profiles.append(_profile(model, lengths, largest_batch(model, bound)))
        shortest = bound + 1
    return tuple(profiles)


def wide_profile(model: ModelFolder) -> Profile:
    """One profile for all lengths, tuned for the bucket in the middle.

    The TensorRT accelerator of ONNX Runtime never leaves an engine's first profile (microsoft/onnxruntime, pull
    request 31624, open in August 2026), so it gets only one.
    """
    bounds = bucket_bounds(model) or (0,)
    middle = bounds[len(bounds) // 2]
    return _profile(model, (min(_shortest(model), bounds[0]), middle, bounds[-1]), largest_batch(model, middle))


def shapes_text(shapes: Shapes) -> str:
    """Shapes as `trtexec` and ONNX Runtime read them: `pixels:8x3x256x256,tokens:8x16`."""
    return ",".join(f"{name}:{'x'.join(map(str, dims))}" for name, dims in shapes.items())


def input_shape(tensor: Tensor, model: ModelFolder, rows: int, length: int) -> tuple[int, ...]:
    """Shape of one input for `rows` rows of `length` samples or token ids."""
    bucketed = WAVEFORM if WAVEFORM in CONTRACTS[model.name].inputs else TOKENS
    if tensor == TOKENS and tensor != bucketed:
        length = min(TYPICAL_TOKENS, model.card.max_tokens or TYPICAL_TOKENS)
    return (rows, *(length if dim == -1 else dim for dim in model.card.dims(tensor)))


def _profile(model: ModelFolder, lengths: tuple[int, int, int], opt_rows: int) -> Profile:
    inputs = CONTRACTS[model.name].inputs
    smallest, tuned, largest = (
        {tensor.name: input_shape(tensor, model, rows, length) for tensor in inputs}
        for rows, length in zip((1, opt_rows, model.max_batch_size), lengths, strict=True)
    )
    if WAVEFORM in inputs and TOKENS in inputs:  # any question goes with a sound of any bucket
        smallest[TOKENS.name] = (1, 1)
        largest[TOKENS.name] = (model.max_batch_size, model.card.max_tokens or TYPICAL_TOKENS)
    return Profile(smallest, tuned, largest)


def _shortest(model: ModelFolder) -> int:
    card = model.card
    if WAVEFORM in CONTRACTS[model.name].inputs:
        return int((card.min_audio_s or 0) * (card.sample_rate_hz or 0))
    return 1
