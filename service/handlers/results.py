"""What calls give back, before any wire renders it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.errors import InputError, ServiceError
from service.preprocessing import Note
from service.usecases.embeddable import Embedded
from service.usecases.heads import GroundedPhrase, WindowLabels
from service.usecases.items import Item
from service.usecases.probabilities import ScoredLabel
from service.usecases.similarity import Similarities
from service.usecases.source import Source
from service.wire.encodings import Encoding


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """One outcome for each item, in order; an error only under `on_error: report`."""

    source: Source
    dimensions: int
    encoding: Encoding | Sequence[Encoding]
    items: Sequence[Item | InputError]
    outcomes: Sequence[Embedded | ServiceError]


@dataclass(frozen=True, slots=True)
class SimilarityResult:
    """Cosines, and probabilities if asked for."""

    source: Source
    similarities: Similarities


@dataclass(frozen=True, slots=True)
class GroundResult:
    """One box for each phrase, and the upright picture's size."""

    source: Source
    boxes: Sequence[GroundedPhrase]
    image: Note


@dataclass(frozen=True, slots=True)
class LabelsResult:
    """Labels with probabilities, best first, and what was done to the input (a fused one: to each part).

    `windows` are those of a windowed clip.
    """

    source: Source
    labels: Sequence[ScoredLabel]
    notes: Sequence[Note]
    windows: Sequence[WindowLabels] = ()
