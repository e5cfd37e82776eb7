"""Items that could not be read: counted, and each error says where its item stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from service.context import Stages
from service.errors import InputError
from service.usecases.items import MediaItem, modality

T = TypeVar("T")


def refused(error: InputError, item: MediaItem, stages: Stages) -> InputError:
    """The error of one item."""
    stages.tally.failed(modality(item), error.code)
    error.pointer = item.pointer
    return error


def refusals(results: Sequence[object], items: Sequence[MediaItem], stages: Stages) -> list[InputError]:
    """The errors among what became of items."""
    return [
        refused(result, item, stages)
        for result, item in zip(results, items, strict=True)
        if isinstance(result, InputError)
    ]


def good(results: Sequence[T | InputError]) -> list[T]:
    """What became of the other items."""
    return [result for result in results if not isinstance(result, InputError)]
