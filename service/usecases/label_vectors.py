"""The vectors of labels, each kept after it was first computed: labels come again with every request."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from service.errors import InputError, InvalidField, InvalidRequest
from service.usecases.embeddable import Vector
from service.usecases.items import TextItem
from service.usecases.quantization import normalize

PLACE = "{}"
MIN_MEAN_NORM = 1e-6
DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Prompt:
    """One label in one template; the template holds `{}` once."""

    label: TextItem
    template: str

    @property
    def chars(self) -> int:
        """Length of the text to embed."""
        return len(self.label.text) + len(self.template) - len(PLACE)

    def item(self) -> TextItem:
        """The text to embed; its errors point at the label."""
        return TextItem(self.template.replace(PLACE, self.label.text), self.label.pointer)


_Key = bytes
"""Digests of a label and a template: the texts themselves would take more room than their vector."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is known of some prompts' vectors, and what has to be computed; later evictions don't matter to it."""

    keys: tuple[_Key, ...]
    known: dict[_Key, Vector]
    missing: tuple[Prompt, ...]


class LabelVectors:
    """Keeps the most recently used `max_entries` vectors by label and template; 0 keeps none."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._kept: OrderedDict[_Key, Vector] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def look_up(self, prompts: Sequence[Prompt]) -> Lookup:
        """What there is of the prompts' vectors; each that is missing is named once."""
        keys = _keys(prompts)
        known = {key: self._kept[key] for key in keys if key in self._kept}
        missing = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in known}
        return Lookup(keys, known, tuple(missing.values()))

    def complete(self, lookup: Lookup, computed: Sequence[Vector]) -> NDArray[np.float32]:
        """All vectors of a lookup, with those that were missing: float32 [prompts, D], L2 norm 1."""
        own = map(np.array, computed)  # not a view, which would keep the whole batch
        new = dict(zip(_keys(lookup.missing), own, strict=True))
        every = lookup.known | new
        for key, vector in every.items():
            self._keep(key, vector)
        return np.stack([every[key] for key in lookup.keys])

    def _keep(self, key: _Key, vector: Vector) -> None:
        self._kept[key] = vector
        self._kept.move_to_end(key)
        while len(self._kept) > self._max_entries:
            self._kept.popitem(last=False)


def _keys(prompts: Sequence[Prompt]) -> tuple[_Key, ...]:
    texts = {text for prompt in prompts for text in (prompt.label.text, prompt.template)}
    digests = {text: blake2b(text.encode(), digest_size=DIGEST_BYTES).digest() for text in texts}
    return tuple(digests[prompt.label.text] + digests[prompt.template] for prompt in prompts)


def ensemble(vectors: NDArray[np.float32], labels: Sequence[TextItem]) -> NDArray[np.float32]:
    """The mean over each label's prompts, L2-normalised: float32 [labels · templates, D] → [labels, D].

    As in CLIP (Radford et al. 2021, 3.1.4): vectors are averaged, not probabilities.

    Raises:
        InvalidRequest: the prompts of a label cancel each other out.
    """
    means = vectors.reshape(len(labels), -1, vectors.shape[-1]).mean(axis=1, dtype=np.float64)
    norms = np.linalg.norm(means, axis=-1)
    wrong: list[InputError] = [
        InvalidField("the label's prompts cancel each other out: their mean is zero", pointer=label.pointer)
        for label, norm in zip(labels, norms, strict=True)
        if norm < MIN_MEAN_NORM
    ]
    if wrong:
        raise InvalidRequest(wrong)
    return normalize(means, MIN_MEAN_NORM)
