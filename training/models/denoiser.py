"""The light decoder that recovers hidden units. Only pretraining needs it; it is not exported."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.one_peace.audio_adapter import max_frames
from export.one_peace.config import EncoderConfig, Modality, ModelConfig
from export.one_peace.encoder import Encoder
from export.one_peace.sequence import TokenSequence
from training.models.masking import Mask


class Denoiser(nn.Module):
    """Puts mask tokens in the hidden places, looks at all places together, and predicts the units there."""

    def __init__(self, config: ModelConfig, decoder: EncoderConfig) -> None:
        super().__init__()
        places: dict[Modality, int] = {
            "text": config.max_text_tokens + 2,
            "image": config.image.grid**2 + 1,
            "audio": max_frames(config.audio) + 1,
        }
        dim, modalities = config.encoder.dim, config.modalities
        self.embed = nn.ModuleDict({m: nn.Linear(dim, decoder.dim) for m in modalities})
        self.mask_token = nn.ParameterDict({m: nn.Parameter(torch.zeros(decoder.dim)) for m in modalities})
        self.position_embedding = nn.ParameterDict(
            {m: nn.Parameter(torch.zeros(places[m], decoder.dim)) for m in modalities}
        )
        self.encoder = Encoder(decoder, modalities)
        self.heads = nn.ModuleDict({m: nn.Linear(decoder.dim, dim) for m in modalities})

    def forward(
        self, features: dict[Modality, Tensor], masks: dict[Modality, Mask], paddings: dict[Modality, Tensor]
    ) -> dict[Modality, Tensor]:
        """Recover all places [B, T, D] of each modality from the encoder's features [B, K, D] of the kept units."""
        sequences = {m: self._fill(m, features[m], masks[m], paddings[m]) for m in features}
        return {m: self.heads[m](decoded) for m, decoded in self.encoder(sequences).items()}

    def _fill(self, modality: Modality, features: Tensor, mask: Mask, padding: Tensor) -> TokenSequence:
        seen = self.embed[modality](features)  # [B, K, d]
        token = self.mask_token[modality].to(seen.dtype)
        seen = torch.where(mask.kept_padding.unsqueeze(2), token, seen)
        everywhere = token.expand(*padding.shape, -1)  # [B, T, d]
        filled = everywhere.scatter(1, mask.kept.unsqueeze(2).expand_as(seen), seen)
        positions = self.position_embedding[modality][: padding.shape[1]]
        return TokenSequence(filled + positions, padding, ())
