"""The loop: batches, losses, steps, log, validation, states."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from training.configuration import RunError, RunSettings, differences
from training.data.batches import Batch
from training.data.feed import Feed
from training.distributed import rank
from training.log import RunLog
from training.means import RunningMeans
from training.models.start import Trained, config_of, write_trained
from training.optimization import AveragedWeights, build_optimizer, learning_rate, set_learning_rate
from training.parallel import (
    clip_gradients,
    plain_parameters,
    spread,
    take_whole,
    take_whole_tensors,
    whole_model,
    whole_optimizer,
    whole_tensors,
)
from training.precision import keep_convolutions_in_float32
from training.run_state import load_newest_state, save_state

METRICS = frozenset({"iou_over_half", "top_1"})  # reported, not minimised
_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Feeds(NamedTuple):
    """What a run learns from, and what it is checked with."""

    train: Feed
    validation: Feed | None


class Trainer:
    """Trains one model. Every step depends on the seed, the step's number and the state before it, on nothing else."""

    def __init__(self, settings: RunSettings, model: Trained, feeds: Feeds, device: torch.device) -> None:
        self._settings, self._plain, self._feeds, self._device = settings, model, feeds, device
        if settings.precision != "fp32" and device.type == "cpu":
            keep_convolutions_in_float32(model)
        self._model = spread(model, settings, device)
        self._optimizer = build_optimizer(self._model, settings.optimizer, config_of(model).encoder.layers)
        decay = settings.optimizer.ema
        self._average = None if decay is None else AveragedWeights(plain_parameters(model), decay)
        self._scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "fp16")
        self._states = settings.out / "states"
        self._means = RunningMeans()
        self.step = 0

    def run(self, until: int | None = None) -> None:
        """Go on from the newest state to the last step (or `until`), and write `model.pt` at the end.

        Raises:
            RunError: the state is damaged, or of a run with other settings.
        """
        settings, first = self._settings, rank() == 0
        self._resume()
        end = min(settings.steps, until or settings.steps)
        batches = self._feeds.train.batches(self.step * settings.accumulate)
        with ExitStack() as stack:
            log = stack.enter_context(RunLog(settings.out, self.step)) if first else None
            bar = stack.enter_context(
                tqdm(total=settings.steps, initial=self.step, disable=not first, smoothing=0.05, desc=settings.task)
            )
            while self.step < end:
                report = self._train_step(batches)
                self.step += 1
                bar.update()
                if report and log is not None:
                    bar.set_postfix({name: f"{value:.3g}" for name, value in report.items()}, refresh=False)
                    log.write(self.step, "train", report)
                if self._feeds.validation is not None and self.step % settings.validate_every == 0:
                    report = self.validate(self._feeds.validation)
                    if log is not None:
                        log.write(self.step, "validation", report)
                if self.step % settings.save_every == 0 or self.step == settings.steps:
                    self._save()
        if self.step == settings.steps:
            self._write_result()

    def validate(self, feed: Feed) -> dict[str, float]:
        """Mean losses and metrics over the first batches of `feed`."""
        means = RunningMeans()
        count = min(self._settings.validation_batches, feed.batches_per_epoch)
        self._model.eval()
        with torch.no_grad():
            for number, batch in zip(range(count), feed.batches(), strict=False):
                means.add(self._losses(batch, number))
        self._model.train()
        return means.take()

    def _train_step(self, batches: Iterator[Batch]) -> dict[str, float]:
        """One optimiser step; what to report of the steps since the last report, nothing for most steps."""
        settings, started = self._settings, time.perf_counter()
        rate = learning_rate(self.step, settings.steps, settings.optimizer)
        set_learning_rate(self._optimizer, rate)
        for micro in range(settings.accumulate):
            asked = time.perf_counter()
            batch = next(batches)
            wait_s = time.perf_counter() - asked
            losses = self._losses(batch, self.step * settings.accumulate + micro)
            self._backward(losses)
            self._means.add({**losses, "wait_s": torch.tensor(wait_s)})
        norm = self._update()
        self._means.add({"gradient_norm": torch.tensor(norm), "step_s": torch.tensor(time.perf_counter() - started)})
        return {} if (self.step + 1) % settings.log_every else {**self._means.take(), "learning_rate": rate}

    def _losses(self, batch: Batch, number: int) -> dict[str, Tensor]:
        """Losses of pass `number`, which alone decides on random numbers."""
        kind = _AUTOCAST.get(self._settings.precision)
        with nullcontext() if kind is None else torch.autocast(self._device.type, dtype=kind):
            losses: dict[str, Tensor] = self._model(batch.to(self._device), self._generator(number), number)
        return losses

    def _backward(self, losses: dict[str, Tensor]) -> None:
        weights = self._settings.loss_weights
        minimised = [weights.get(name, 1.0) * value for name, value in losses.items() if name not in METRICS]
        total: Tensor = self._scaler.scale(torch.stack(minimised).sum() / self._settings.accumulate)
        total.backward()  # type: ignore[no-untyped-call]

    def _update(self) -> float:
        """Clip, step, average; the gradient's norm before clipping."""
        self._scaler.unscale_(self._optimizer)
        norm = clip_gradients(self._model, self._settings.optimizer.clip_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        if self._average is not None:
            self._average.update(plain_parameters(self._plain))
        return norm

    def _generator(self, number: int) -> torch.Generator:
        """Random numbers of one forward pass, other ones in every process."""
        seed = (self._settings.seed * 1_000_003 + number) * 4_099 + rank()
        return torch.Generator().manual_seed(seed)

    def _resume(self) -> None:
        state = load_newest_state(self._states)
        if state is None:
            return
        changed = differences(RunSettings.model_validate(state["settings"]), self._settings)
        if changed:
            raise RunError(
                f"{self._settings.out}: was begun with other settings ({', '.join(changed)}); "
                "remove the folder, or give the run another `out`"
            )
        take_whole(self._model, self._optimizer, state)
        self._scaler.load_state_dict(state["scaler"])
        if self._average is not None:
            take_whole_tensors(self._average.state, state["average"])
        self._means.load(state["means"])
        self.step = int(state["step"])

    def _save(self) -> None:
        state = {
            "model": whole_model(self._model),
            "optimizer": whole_optimizer(self._model, self._optimizer),
            "scaler": self._scaler.state_dict(),
            "means": self._means.state(),
            "average": {} if self._average is None else whole_tensors(self._average.state),
            "step": self.step,
            "settings": self._settings.model_dump(mode="json"),
        }
        if rank() == 0:
            save_state(self._states, self.step, state)

    def _write_result(self) -> None:
        weights = whole_model(self._model)
        if self._average is not None:
            weights = whole_tensors(self._average.state)
        if rank() == 0:
            write_trained(self._settings.out / "model.pt", self._plain, weights)
