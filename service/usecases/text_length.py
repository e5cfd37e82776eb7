"""Texts that are put together of several: refused by their length before they are built."""

from __future__ import annotations

from collections.abc import Iterable

from service.errors import InputError, InvalidText
from service.media.text import count_bytes, refuse_long
from service.usecases.items import TextItem


def long_texts(texts: Iterable[TextItem], max_bytes: int, *, beside: int = 0) -> list[InputError]:
    """An error for each text that has more than `max_bytes` of UTF-8 together with `beside` more."""
    wrong: list[InputError] = []
    for text in texts:
        try:
            refuse_long(count_bytes(text.text) + beside, max_bytes)
        except InvalidText as error:
            error.pointer = text.pointer
            wrong.append(error)
    return wrong
