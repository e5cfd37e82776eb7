"""Classification with the caller's own labels: the item's vector against the vectors of prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from service.context import Stages
from service.errors import InvalidField, InvalidRequest
from service.preprocessing import Note
from service.usecases.embedding import Embedder
from service.usecases.items import AudioItem, Item, TextItem
from service.usecases.probabilities import ScoredLabel, best_first, contrast
from service.usecases.similarity import require_logit_scale

IMAGE_TEMPLATE = "a photo of a {}"
AUDIO_TEMPLATE = "This is a sound of {}"  # the paper's prompt for ESC-50
PLACE = "{}"


async def classify(
    embedder: Embedder, item: Item, labels: Sequence[TextItem], template: str | None, stages: Stages
) -> tuple[list[ScoredLabel], tuple[Note, ...]]:
    """Probabilities of all labels, best first, and what was done to the item.

    Raises:
        InvalidRequest: the template does not hold `{}` exactly once, or an input is wrong.
        EngineFailure: as `Embedder.embed_all`.
    """
    if template is None:
        template = AUDIO_TEMPLATE if isinstance(item, AudioItem) else IMAGE_TEMPLATE
    if template.count(PLACE) != 1:
        found = template.count(PLACE)
        error = InvalidField("a template must hold '{}' exactly once", limit=1, actual=found, pointer="/template")
        raise InvalidRequest([error])
    logit_scale = require_logit_scale(embedder, "/labels")
    prompts = [TextItem(template.replace(PLACE, label.text), label.pointer) for label in labels]
    first, *others = await embedder.embed_all([item, *prompts], stages)
    cosines = np.stack([other.vector for other in others]) @ first.vector
    return best_first([label.text for label in labels], contrast(cosines, logit_scale)), first.notes
