"""Which examples make which batch, and how they are joined. A pure function of seed and step, so any run can resume."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Sampler

from service.repository import PAD_TOKEN
from training.data.examples import Example

GROUPED_BATCHES = 16  # this many batches are drawn together and sorted by length, so that little padding is computed


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples joined along axis 0, shorter ones padded.

    `tokens` int64 [B, n], pad 1. `pixels` uint8 [B, 3, S, S]. `waveform` float32 [B, T] with `num_samples` int64
    [B, 1]. `target` float32 [B, 4] or int64 [B].
    """

    tokens: Tensor
    pixels: Tensor | None = None
    waveform: Tensor | None = None
    num_samples: Tensor | None = None
    target: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        moved = (
            None if part is None else part.to(device, non_blocking=True)
            for part in (self.tokens, self.pixels, self.waveform, self.num_samples, self.target)
        )
        return Batch(*moved)  # type: ignore[arg-type]  # tokens are never None


def join(examples: list[Example]) -> Batch:
    """Make a batch of examples of one kind."""
    tokens = pad_sequence([e.tokens for e in examples], batch_first=True, padding_value=PAD_TOKEN)
    pixels = [e.pixels for e in examples if e.pixels is not None]
    waveforms = [e.waveform for e in examples if e.waveform is not None]
    targets = [e.target for e in examples if e.target is not None]
    return Batch(
        tokens,
        torch.stack(pixels) if pixels else None,
        pad_sequence(waveforms, batch_first=True) if waveforms else None,
        torch.tensor([[len(w)] for w in waveforms]) if waveforms else None,
        torch.stack(targets) if targets else None,
    )


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of every batch is this process's: rank of world."""

    rank: int = 0
    world: int = 1


class BatchPlan(Sampler[list[int]]):
    """Indices of every micro-batch from `start` on, without end.

    An epoch is a permutation drawn from (seed, epoch). Within groups of `GROUPED_BATCHES` batches examples are sorted
    by length; then the batches' order, and that of the rows in each, is drawn again. Every process takes its own rows
    of every batch.
    """

    def __init__(self, lengths: np.ndarray, batch_size: int, seed: int, share: Share | None = None) -> None:
        share = share or Share()
        if len(lengths) < batch_size:
            raise ValueError(f"{len(lengths)} examples don't fill a batch of {batch_size}")
        if batch_size % share.world:
            raise ValueError(f"a batch of {batch_size} can't be shared by {share.world} processes")
        self._lengths, self._batch_size, self._seed, self._share = lengths, batch_size, seed, share
        self.batches_per_epoch = len(lengths) // batch_size
        self.start = 0

    def __iter__(self) -> Iterator[list[int]]:
        epoch, first = divmod(self.start, self.batches_per_epoch)
        while True:
            for batch in self.epoch(epoch)[first:]:
                yield [epoch * len(self._lengths) + int(row) for row in batch[self._share.rank :: self._share.world]]
            epoch, first = epoch + 1, 0

    def epoch(self, number: int) -> list[np.ndarray]:
        """Rows of every batch of epoch `number`, for all processes together."""
        generator = np.random.default_rng([self._seed, number])
        rows = generator.permutation(len(self._lengths))[: self.batches_per_epoch * self._batch_size]
        group = GROUPED_BATCHES * self._batch_size
        ordered = [
            part[np.argsort(self._lengths[part], kind="stable")]
            for part in np.split(rows, range(group, len(rows), group))
        ]
        batches = np.concatenate(ordered).reshape(-1, self._batch_size)
        batches = batches[generator.permutation(len(batches))]
        if np.ptp(self._lengths) > 0:  # else their rows are in random order already; denoising takes the first ones
            batches = generator.permuted(batches, axis=1)
        return list(batches)
