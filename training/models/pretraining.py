"""Pretraining: contrast across modalities, and denoising within them (arXiv:2305.11172, sections 3.2 and 3.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from export.one_peace.config import EncoderConfig, Modality, ModelConfig
from export.one_peace.encoder import EncoderLayer
from export.one_peace.model import EmbeddingModel
from export.one_peace.sequence import TokenSequence
from training.data.batches import Batch
from training.models.denoiser import Denoiser
from training.models.masking import draw_mask, keep
from training.models.objectives import contrastive_loss, denoising_loss

MAX_LOGIT_SCALE = math.log(100)
Losses = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class DenoisingOptions:
    """Shares of units that are hidden, by modality: alone, and together with the other one; the paper's by default.

    `rows`: share of a batch that is denoised. `every`: passes from one that denoises to the next. `audio_span`: frames
    hidden in a run.
    """

    alone: dict[Modality, float] = field(default_factory=lambda: {"text": 0.15, "image": 0.75, "audio": 0.55})
    together: dict[Modality, float] = field(default_factory=lambda: {"text": 0.4, "image": 0.6875, "audio": 0.45})
    scale: float = 2.5
    rows: float = 1.0
    every: int = 1
    audio_span: int = 5


class PretrainingModel(nn.Module):
    """The embedding model, its denoiser, and the losses of one pair of modalities: text and `other`."""

    def __init__(self, config: ModelConfig, other: Modality, decoder: EncoderConfig, options: DenoisingOptions) -> None:
        super().__init__()
        self.other = other
        self.options = options
        self.embedder = EmbeddingModel(config)
        self.denoiser = Denoiser(config, decoder) if options.rows > 0 else None

    def forward(self, batch: Batch, generator: torch.Generator, number: int = 0) -> Losses:
        """Losses of a batch of pairs, float32 [] each: `contrast`; denoising, alone and `joint_`."""
        sequences = self._adapt(batch)
        features = {m: self.embedder.encoder({m: sequence})[m] for m, sequence in sequences.items()}
        vectors = {
            m: nn.functional.normalize(self.embedder.projections[m](x[:, 0]).float(), dim=1)
            for m, x in features.items()
        }
        scale = self.embedder.logit_scale.clamp(0, MAX_LOGIT_SCALE).exp()
        losses = {"contrast": contrastive_loss(vectors["text"], vectors[self.other], scale)}
        if self.denoiser is None or number % self.options.every:
            return losses
        rows = max(1, round(len(batch.tokens) * self.options.rows))
        some = {m: _first_rows(sequence, rows) for m, sequence in sequences.items()}
        for modality, sequence in some.items():
            if self._learns(modality):
                losses |= self._denoise({modality: sequence}, {modality: features[modality][:rows]}, generator)
        with torch.no_grad():
            joint = self.embedder.encoder(some)
        return losses | self._denoise(some, joint, generator)

    def _learns(self, modality: Modality) -> bool:
        """Whether denoising a modality alone can teach the encoder anything: not while all of its branch is frozen."""
        return any(p.requires_grad for p in self.embedder.adapters[modality].parameters())

    def _denoise(
        self,
        sequences: dict[Modality, TokenSequence],
        units: dict[Modality, Tensor],
        generator: torch.Generator,
    ) -> Losses:
        alone = len(sequences) == 1
        ratios = self.options.alone if alone else self.options.together
        paddings = {m: _padding(sequence) for m, sequence in sequences.items()}
        spans = {m: self.options.audio_span if m == "audio" else 1 for m in sequences}
        masks = {m: draw_mask(paddings[m], ratios[m], spans[m], generator) for m in sequences}
        seen = self.embedder.encoder({m: keep(sequence, masks[m]) for m, sequence in sequences.items()})
        recovered: dict[Modality, Tensor] = self.denoiser(seen, masks, paddings)  # type: ignore[misc]  # not None here
        return {
            m if alone else f"joint_{m}": denoising_loss(
                recovered[m], units[m], masks[m].hidden, paddings[m], self.options.scale
            )
            for m in sequences
        }

    def _adapt(self, batch: Batch) -> dict[Modality, TokenSequence]:
        adapters = self.embedder.adapters
        if self.other == "image":
            return {"text": adapters["text"](batch.tokens), "image": adapters["image"](batch.pixels)}
        return {"text": adapters["text"](batch.tokens), "audio": adapters["audio"](batch.waveform, batch.num_samples)}


def freeze_for_audio(model: PretrainingModel) -> None:
    """Leave only what is audio's own to train: its adapter, feed-forward networks, norm, projection and denoiser.

    The shared attention and the language and vision parts stay as they are, so that audio joins an existing space
    (arXiv:2305.11172, section 3.4).
    """
    embedder = model.embedder
    embedder.requires_grad_(False)
    own = [embedder.adapters["audio"], embedder.encoder.final_norms["audio"], embedder.projections["audio"]]
    for part in [*own, *(layer.ffns["audio"] for layer in _layers(embedder))]:
        part.requires_grad_(True)
    embedder.logit_scale.requires_grad_(True)


def freeze_audio(model: PretrainingModel) -> None:
    """Leave out all that is audio's own: the first stage has no sounds."""
    embedder = model.embedder
    if "audio" not in embedder.modalities:
        return
    own = [embedder.adapters["audio"], embedder.encoder.final_norms["audio"], embedder.projections["audio"]]
    for part in [*own, *(layer.ffns["audio"] for layer in _layers(embedder))]:
        part.requires_grad_(False)


def _layers(embedder: EmbeddingModel) -> list[EncoderLayer]:
    return [layer for layer in embedder.encoder.layers if isinstance(layer, EncoderLayer)]


def _padding(sequence: TokenSequence) -> Tensor:
    if sequence.padding is not None:
        return sequence.padding
    return torch.zeros(sequence.features.shape[:2], dtype=torch.bool, device=sequence.features.device)


def _first_rows(sequence: TokenSequence, rows: int) -> TokenSequence:
    padding = None if sequence.padding is None else sequence.padding[:rows]
    return TokenSequence(sequence.features[:rows], padding, sequence.biases)
