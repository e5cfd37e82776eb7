"""The two kinds of model: one vector for an input, or logits for it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.one_peace.audio_adapter import AudioAdapter
from export.one_peace.config import Modality, ModelConfig
from export.one_peace.encoder import Encoder
from export.one_peace.heads import ClassifyHead
from export.one_peace.image_adapter import ImageAdapter
from export.one_peace.sequence import TokenSequence
from export.one_peace.text_adapter import TextAdapter


class OnePeace(nn.Module):
    """Adapters and encoder; `modalities` are the branches to build, all of the checkpoint's unless given."""

    def __init__(self, config: ModelConfig, modalities: Iterable[Modality] | None = None) -> None:
        super().__init__()
        self.config = config
        self.modalities = tuple(config.modalities if modalities is None else modalities)
        self.adapters = nn.ModuleDict({modality: self._adapter(modality) for modality in self.modalities})
        self.encoder = Encoder(config.encoder, self.modalities)

    def _adapter(self, modality: Modality) -> nn.Module:
        config, encoder, tables = self.config, self.config.encoder, self.config.num_tables
        if modality == "text":
            return TextAdapter(config.text, encoder, tables)
        if modality == "image":
            return ImageAdapter(config.image, encoder, tables)
        return AudioAdapter(config.audio, encoder, tables)


class EmbeddingModel(OnePeace):
    """Puts text, images and sound into one space."""

    def __init__(self, config: ModelConfig, modalities: Iterable[Modality] | None = None) -> None:
        super().__init__(config, modalities)
        dim = config.encoder.dim
        self.projections = nn.ModuleDict({modality: nn.Linear(dim, dim) for modality in self.modalities})
        self.logit_scale = nn.Parameter(torch.zeros(()))  # natural logarithm of the factor on a cosine

    def forward(self, modality: Modality, *inputs: Tensor) -> Tensor:
        """Embed one modality's adapter inputs: adapter → encoder → projection of cls → unit length, float32 [B, D]."""
        sequence: TokenSequence = self.adapters[modality](*inputs)
        features = self.encoder({modality: sequence})[modality]  # [B, T, D]
        projected = self.projections[modality](features[:, 0])
        return F.normalize(projected.float(), dim=1)


class ClassifyModel(OnePeace):
    """Logits for text with an image, text with a sound, two images with text, or a sound."""

    def __init__(self, config: ModelConfig) -> None:
        if config.head is None:
            raise ValueError("the configuration has no classify head")
        super().__init__(config)
        use_image = config.head.use_image_features and "image" in self.modalities
        self.pooled: Modality = "image" if use_image else self.modalities[0]
        self.two_images = config.head.use_two_images
        self.head = ClassifyHead(config.head, config.encoder)

    def forward(self, inputs: dict[Modality, tuple[Tensor, ...]]) -> Tensor:
        """Classify the inputs of each modality: adapters → encoder → pooling → logits float32 [B, C].

        A pair's `image` holds both images; each is encoded with the text and the pooled features are joined.
        """
        if self.two_images:
            first, second = inputs["image"]
            text = self.adapters["text"](*inputs["text"])
            pairs = (self.adapters["image"](first), self.adapters["image"](second, second=True))
            pooled = [self.encode_and_pool({"text": text, "image": image}) for image in pairs]  # 2 × [B, D]
            logits: Tensor = self.head.classify(torch.cat(pooled, dim=1))
        else:
            sequences = {modality: self.adapters[modality](*inputs[modality]) for modality in self.modalities}
            logits = self.head.classify(self.encode_and_pool(sequences))
        return logits.float()

    def encode_and_pool(self, sequences: dict[Modality, TokenSequence]) -> Tensor:
        """Encode the modalities together and pool the one that the head reads: [B, D]."""
        features = self.encoder(sequences)[self.pooled]
        return self.head.pool(features, sequences[self.pooled].padding)
