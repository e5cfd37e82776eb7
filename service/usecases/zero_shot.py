"""Classification with the caller's own labels: the item's vector against the vectors of prompts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.context import Stages
from service.errors import InputError, InvalidField, InvalidRequest, TooManyItems
from service.media.text import count_bytes
from service.preprocessing import Note
from service.usecases.embedding import Embedder
from service.usecases.items import AudioItem, Item, TextItem
from service.usecases.label_vectors import PLACE, LabelVectors, Lookup, Prompt, ensemble
from service.usecases.probabilities import ScoredLabel, contrast, sigmoid
from service.usecases.space import EmbeddingSpace
from service.usecases.text_length import long_texts

IMAGE_TEMPLATE = "a photo of a {}"
AUDIO_TEMPLATE = "This is a sound of {}"  # the paper's prompt for ESC-50


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """What is to be chosen from, and how.

    Attributes:
        labels: at least one.
        templates: each holds `{}` once; a label's vector is the mean over them.
        multi_label: labels don't exclude each other.
        threshold: cosine, −1 to 1, at which a label is as likely as none of them.
    """

    labels: Sequence[TextItem]
    templates: Sequence[str]
    multi_label: bool = False
    threshold: float | None = None

    def prompts(self) -> list[Prompt]:
        """Every label in every template, label by label."""
        return [Prompt(label, template) for label in self.labels for template in self.templates]


@dataclass(frozen=True, slots=True)
class Classified:
    """Labels, best first, and the probability of none of them where a threshold was given."""

    labels: Sequence[ScoredLabel]
    none_of_these: float | None
    notes: tuple[Note, ...]


def choose_templates(item: Item, template: str | None, templates: Sequence[str] | None) -> Sequence[str]:
    """The templates of a request, or the usual one for the item.

    Raises:
        InvalidRequest: both forms are given, or one of the templates does not hold `{}` exactly once.
    """
    if template is not None and templates is not None:
        detail = "give one 'template' or a list of 'templates', not both"
        raise InvalidRequest([InvalidField(detail, pointer="/templates")])
    if template is None and templates is None:
        return [AUDIO_TEMPLATE if isinstance(item, AudioItem) else IMAGE_TEMPLATE]
    given = [("/template", template)] if template is not None else []
    given += [(f"/templates/{place}", text) for place, text in enumerate(templates or ())]
    wrong: list[InputError] = [
        InvalidField("a template must hold '{}' exactly once", limit=1, actual=text.count(PLACE), pointer=pointer)
        for pointer, text in given
        if text.count(PLACE) != 1
    ]
    if wrong:
        raise InvalidRequest(wrong)
    return list(dict.fromkeys(text for _, text in given))


def check_choice(space: EmbeddingSpace, choice: LabelChoice, max_prompts: int) -> None:
    """Make sure that a choice can be computed.

    Raises:
        InvalidRequest: no probabilities with this model, several labels without a threshold, or too many prompts.
    """
    space.require_logit_scale("/labels")
    if choice.multi_label and choice.threshold is None:
        detail = "multi_label needs a threshold: the cosine from which a label counts as present"
        raise InvalidRequest([InvalidField(detail, pointer="/threshold")])
    prompts = len(choice.labels) * len(choice.templates)
    if prompts > max_prompts:
        detail = "too many labels × templates"
        raise InvalidRequest([TooManyItems(detail, limit=max_prompts, actual=prompts, pointer="/labels")])


def long_labels(choice: LabelChoice, max_bytes: int) -> list[InputError]:
    """An error for each label that has more than `max_bytes` in one of the templates, told before any text is built."""
    return long_texts(choice.labels, max_bytes, beside=max(map(count_bytes, choice.templates)) - len(PLACE))


async def classify(
    embedder: Embedder, vectors: LabelVectors, lookup: Lookup, item: Item, choice: LabelChoice, stages: Stages
) -> Classified:
    """Probabilities of all labels, best first, and what was done to the item.

    One label of many: softmax(s · cosine) over the labels, and over `threshold` as the cosine of "none of these".
    Several at once: sigmoid(s · (cosine − threshold)) for each label by itself; none of these: Π (1 − p).
    s = exp(logit_scale).

    Raises:
        InvalidRequest, EngineFailure, Unavailable: as `Embedder.embed_all`.
    """
    embedded, *computed = await embedder.embed_all([item, *(prompt.item() for prompt in lookup.missing)], stages)
    prompts = vectors.complete(lookup, [prompt.vector for prompt in computed])
    cosines = ensemble(prompts, choice.labels) @ embedded.vector  # [labels]
    probabilities, none_of_these = _probabilities(cosines, choice, embedder.space.logit_scale or 0.0)
    order = np.argsort(-cosines, kind="stable")
    labels = [
        ScoredLabel(choice.labels[place].text, float(probabilities[place]), float(cosines[place])) for place in order
    ]
    return Classified(labels, none_of_these, embedded.notes)


def _probabilities(
    cosines: NDArray[np.float32], choice: LabelChoice, logit_scale: float
) -> tuple[NDArray[np.float64], float | None]:
    threshold = choice.threshold
    if threshold is None:
        return contrast(cosines, logit_scale), None
    if choice.multi_label:
        each = sigmoid(math.exp(logit_scale) * (cosines.astype(np.float64) - threshold))
        return each, float(np.prod(1.0 - each))
    every = contrast(np.append(cosines.astype(np.float64), threshold), logit_scale)
    return every[:-1], float(every[-1])
