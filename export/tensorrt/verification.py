"""The same rows through a plan and through the ONNX model that it was built from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from tokenizers import Tokenizer

from export.agreement import Rows, Verdict, judge, run_onnx
from export.profiles import Profile, bucket_profiles
from export.tensorrt.runner import PlanRunner
from service.repository import CONTRACTS, NUM_SAMPLES, PAD_TOKEN, TOKENS, WAVEFORM, ModelFolder


def verify_plan(model: ModelFolder, runner: PlanRunner) -> Verdict:
    """Hold a plan against ONNX Runtime on the CPU: two rows for each profile, one of them padded.

    Raises:
        PlanError: the plan fails.
        UnusableModel: ONNX Runtime refuses the model.
    """
    cases = list(profile_rows(model))
    expected = run_onnx(model.onnx_path, cases)
    found = [runner.run(case, CONTRACTS[model.name].output.name) for case in cases]
    return judge(model.name, model.card.precision, list(zip(expected, found, strict=True)))


def profile_rows(model: ModelFolder) -> Iterator[Rows]:
    """A batch of random rows for each profile: two rows where it takes two, as long as it is tuned for."""
    generator = np.random.default_rng(0)
    words = _vocabulary_size(model)
    for profile in bucket_profiles(model):
        rows = min(2, model.max_batch_size)
        shapes = {name: (rows, *shape[1:]) for name, shape in profile.opt.items()}
        yield {name: _fill(name, shape, profile, generator, words) for name, shape in shapes.items()}


def _fill(
    name: str, shape: tuple[int, ...], profile: Profile, generator: np.random.Generator, words: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    if name == TOKENS.name:
        tokens = generator.integers(4, words, shape)
        tokens[1:, max(1, shape[1] // 2) :] = PAD_TOKEN
        return tokens
    if name in (WAVEFORM.name, NUM_SAMPLES.name):
        length, used = profile.opt[WAVEFORM.name][1], np.full((shape[0], 1), profile.opt[WAVEFORM.name][1])
        used[1:] = max(profile.min[WAVEFORM.name][1], length * 3 // 4)
        if name == NUM_SAMPLES.name:
            return used
        waveform = generator.standard_normal(shape, dtype=np.float32)
        return np.where(np.arange(length) < used, waveform, np.float32(0))
    return generator.integers(0, 256, shape, dtype=np.uint8)


def _vocabulary_size(model: ModelFolder) -> int:
    if TOKENS not in CONTRACTS[model.name].inputs:
        return 0
    return int(Tokenizer.from_file(str(model.tokenizer_path)).get_vocab_size())
