"""What calls give back, before any wire renders it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.errors import InputError, ServiceError
from service.preprocessing import Note
from service.usecases.audio_labels import WindowLabels
from service.usecases.embeddable import Embedded
from service.usecases.grounding import GroundedPhrase
from service.usecases.items import Item, modality
from service.usecases.probabilities import ScoredLabel
from service.usecases.quantization import Encoding
from service.usecases.similarity import Similarities
from service.usecases.source import Source


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """One outcome for each item, in order; an error only under `on_error: report`.

    `windowed`: windows were asked for, whether or not there is a clip that has some.
    """

    source: Source
    dimensions: int
    encoding: Encoding | Sequence[Encoding]
    items: Sequence[Item | InputError]
    outcomes: Sequence[Embedded | ServiceError]
    windowed: bool = False

    @property
    def encodings(self) -> Sequence[Encoding]:
        """The encodings that were asked for, also when it was one."""
        return (self.encoding,) if isinstance(self.encoding, str) else self.encoding

    def modality(self, place: int) -> str:
        """The word for an item; `unknown` where its form was wrong."""
        item = self.items[place]
        return "unknown" if isinstance(item, InputError) else modality(item)


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

    `windows` are those of a windowed clip; `none_of_these` is a probability, where a threshold was given.
    """

    source: Source
    labels: Sequence[ScoredLabel]
    notes: Sequence[Note]
    windows: Sequence[WindowLabels] = ()
    none_of_these: float | None = None


@dataclass(frozen=True, slots=True)
class PairResult:
    """The probability that a sentence is true of two pictures."""

    source: Source
    probability: float
