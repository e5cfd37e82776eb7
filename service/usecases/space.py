"""The one space of vectors that the repository's embedding models share."""

from __future__ import annotations

import numpy as np

from service.errors import FingerprintMismatch, InputError, InvalidField, InvalidRequest
from service.repository import EMBEDDING_MODELS, ModelFolder, space_fingerprint
from service.usecases.embeddable import GivenVector
from service.usecases.items import VectorItem


class EmbeddingSpace:
    """What the embedding models have in common, and what may be asked of their vectors.

    Attributes:
        fingerprint: SHA-256 that names the space.
        dimensions: numbers of a vector, D; 0 when no embedding model is served.
        logit_scale: logarithm of the factor on cosines that makes probabilities of them; None when there is none.
    """

    def __init__(self, models: dict[str, ModelFolder]) -> None:
        cards = [models[name].card for name in EMBEDDING_MODELS if name in models]
        self.fingerprint = space_fingerprint(models)
        self._known = {self.fingerprint, *(card.fingerprint for card in cards)}
        self.dimensions = cards[0].embedding_dim or 0 if cards else 0
        trained = [set(card.trained_dimensions) for card in cards]
        self._trained_dimensions = set.intersection(*trained) if trained else set()
        self.logit_scale = next((card.logit_scale for card in cards if card.logit_scale is not None), None)

    def require_dimensions(self, wanted: int | None, pointer: str) -> int:
        """The length that vectors shall have: all that there are when `wanted` is None.

        Raises:
            InvalidRequest: the models were not trained for vectors cut to this length.
        """
        if wanted is None or wanted == self.dimensions:
            return self.dimensions
        if wanted not in self._trained_dimensions:
            known = ", ".join(map(str, (*sorted(self._trained_dimensions), self.dimensions)))
            detail = f"the model was not trained for vectors of {wanted} numbers, only for {known}"
            raise InvalidRequest([InvalidField(detail, limit=self.dimensions, actual=wanted, pointer=pointer)])
        return wanted

    def require_logit_scale(self, pointer: str) -> float:
        """The models' logarithmic factor on cosines.

        Raises:
            InvalidRequest: the checkpoint had none, so cosines can't become probabilities.
        """
        if self.logit_scale is None:
            detail = "the served model has no logit_scale, so it gives no probabilities"
            raise InvalidRequest([InvalidField(detail, pointer=pointer)])
        return self.logit_scale

    def check_vector(self, item: VectorItem) -> GivenVector | InputError:
        """A caller's own vector, L2-normalised, or why it does not fit into the space."""
        if item.fingerprint is not None and item.fingerprint.lower() not in self._known:
            return FingerprintMismatch("the vector was made by another model", pointer=f"{item.pointer}/fingerprint")
        vector = np.asarray(item.vector, dtype=np.float64)
        pointer = f"{item.pointer}/embedding"
        if len(vector) != self.dimensions:
            detail = f"a vector has {self.dimensions} numbers here"
            return InvalidField(detail, limit=self.dimensions, actual=len(vector), pointer=pointer)
        largest = float(np.abs(vector).max())
        if not np.isfinite(largest) or largest == 0.0:
            return InvalidField("a vector must be finite and not zero", pointer=pointer)
        vector = vector / largest  # so that no square overflows
        return GivenVector((vector / np.linalg.norm(vector)).astype(np.float32))
