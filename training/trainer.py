"""The loop: batches, losses, steps, log, validation, states."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.tensorboard.writer import SummaryWriter
from tqdm import tqdm

from training.configuration import RunSettings
from training.data.batches import Batch, BatchPlan
from training.distributed import mean_over_processes, rank
from training.models.start import Trained, write_trained
from training.optimization import AveragedWeights, build_optimizer, learning_rate, set_learning_rate
from training.parallel import spread, take_whole, whole_model, whole_optimizer
from training.run_state import load_newest_state, save_state

METRICS = frozenset({"iou_over_half", "top_1"})  # reported, not minimised
_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Trainer:
    """Trains one model. Every step depends on the seed, the step's number and the state before it, on nothing else."""

    def __init__(
        self,
        settings: RunSettings,
        model: Trained,
        loader: DataLoader[Any],
        validation: DataLoader[Any] | None,
        device: torch.device,
    ) -> None:
        self._settings, self._plain, self._device = settings, model, device
        self._loader, self._validation = loader, validation
        self._model = spread(model, settings, device)
        layers = (model.embedder if hasattr(model, "embedder") else model.classifier).config.encoder.layers
        self._optimizer = build_optimizer(self._model, settings.optimizer, layers)
        decay = settings.optimizer.ema
        self._average = None if decay is None else AveragedWeights(self._plain, decay)
        self._scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "fp16")  # type: ignore[attr-defined]
        self.step = 0

    def run(self, until: int | None = None) -> None:
        """Go on from the newest state to the last step (or `until`), and write `model.pt` at the end."""
        settings = self._settings
        self._resume()
        end = min(settings.steps, until or settings.steps)
        batches = self._batches()
        writer = SummaryWriter(str(settings.out / "tensorboard"), purge_step=self.step) if rank() == 0 else None
        log = _Log(settings.out / "log.jsonl", writer, self.step) if rank() == 0 else None
        with tqdm(
            total=settings.steps, initial=self.step, disable=rank() != 0, smoothing=0.05, desc=settings.task
        ) as bar:
            while self.step < end:
                losses = self._train_step(batches)
                self.step += 1
                bar.update()
                if self.step % settings.log_every == 0 and log is not None:
                    bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()}, refresh=False)
                    log.write(self.step, "train", losses)
                if self._validation is not None and self.step % settings.validate_every == 0:
                    validated = self.validate()
                    if log is not None:
                        log.write(self.step, "validation", validated)
                if self.step % settings.save_every == 0 or self.step == settings.steps:
                    self._save()
        if writer is not None:
            writer.close()
        if self.step == settings.steps:
            self._write_result()

    def validate(self) -> dict[str, float]:
        """Mean losses and metrics over the first batches of the validation data."""
        assert self._validation is not None  # the caller asked
        plan = self._validation.batch_sampler
        assert isinstance(plan, BatchPlan)
        sums: dict[str, float] = {}
        count = min(self._settings.validation_batches, plan.batches_per_epoch)
        self._model.eval()
        with torch.no_grad():
            for number, batch in zip(range(count), self._validation, strict=False):
                for name, value in self._losses(batch, self._generator(number)).items():
                    sums[name] = sums.get(name, 0.0) + float(mean_over_processes(value)) / count
        self._model.train()
        return sums

    def _train_step(self, batches: Iterator[Batch]) -> dict[str, float]:
        settings, started, waited = self._settings, time.perf_counter(), 0.0
        rate = learning_rate(self.step, settings.steps, settings.optimizer)
        set_learning_rate(self._optimizer, rate)
        shown: dict[str, Tensor] = {}
        for micro in range(settings.accumulate):
            asked = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - asked
            losses = self._losses(batch, self._generator(self.step * settings.accumulate + micro))
            minimised = [self._weight(name) * value for name, value in losses.items() if name not in METRICS]
            self._scaler.scale(torch.stack(minimised).sum() / settings.accumulate).backward()
            for name, value in losses.items():
                shown[name] = shown.get(name, torch.zeros(())) + value.detach().cpu() / settings.accumulate
        self._scaler.unscale_(self._optimizer)
        norm = nn.utils.clip_grad_norm_(self._model.parameters(), settings.optimizer.clip_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        if self._average is not None:
            self._average.update(self._plain)
        means = {name: float(mean_over_processes(value)) for name, value in shown.items()} if self._logs_next() else {}
        return {
            **means,
            "gradient_norm": float(norm),
            "learning_rate": rate,
            "wait_s": waited,
            "step_s": time.perf_counter() - started,
        }

    def _logs_next(self) -> bool:
        return (self.step + 1) % self._settings.log_every == 0

    def _losses(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        kind = _AUTOCAST.get(self._settings.precision)
        with nullcontext() if kind is None else torch.autocast(self._device.type, dtype=kind):
            losses: dict[str, Tensor] = self._model(batch.to(self._device), generator)
        return losses

    def _weight(self, name: str) -> float:
        return self._settings.loss_weights.get(name, 1.0)

    def _generator(self, number: int) -> torch.Generator:
        """Random numbers of one forward pass, other ones in every process."""
        seed = (self._settings.seed * 1_000_003 + number) * 4_099 + rank()
        return torch.Generator().manual_seed(seed)

    def _batches(self) -> Iterator[Batch]:
        plan = self._loader.batch_sampler
        assert isinstance(plan, BatchPlan)
        plan.start = self.step * self._settings.accumulate
        return iter(self._loader)

    def _states(self) -> Path:
        return self._settings.out / "states"

    def _resume(self) -> None:
        state = load_newest_state(self._states())
        if state is None:
            return
        take_whole(self._model, self._optimizer, state)
        self._scaler.load_state_dict(state["scaler"])
        if self._average is not None:
            self._average.load(state["average"])
        self.step = int(state["step"])

    def _save(self) -> None:
        state = {"model": whole_model(self._model), "optimizer": whole_optimizer(self._model, self._optimizer)}
        state |= {"scaler": self._scaler.state_dict(), "step": self.step}
        if self._average is not None:
            state["average"] = self._average.state
        if rank() == 0:
            save_state(self._states(), self.step, state)

    def _write_result(self) -> None:
        weights = whole_model(self._model)
        if self._average is not None:
            weights = self._average.state
        if rank() == 0:
            write_trained(self._settings.out / "model.pt", self._plain, weights)


class _Log:
    """One JSON line for each report, and the same in TensorBoard; lines after `step` of a killed run are dropped."""

    def __init__(self, path: Path, writer: SummaryWriter | None, step: int) -> None:
        self._path, self._writer = path, writer
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        path.write_text("".join(line + "\n" for line in kept), encoding="utf-8")

    def write(self, step: int, kind: str, values: dict[str, float]) -> None:
        rounded = {name: float(f"{value:.5g}") for name, value in values.items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "kind": kind, **rounded}) + "\n")
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(f"{kind}/{name}", value, step)
