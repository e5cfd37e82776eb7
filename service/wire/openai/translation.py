"""`POST /v1/embeddings` in the words of `/embed`, and the way back from its pointers to the caller's own places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from service.errors import InputError, InvalidField, InvalidRequest
from service.wire.checking import check, check_value, refuse_too_many, refuse_wide_objects
from service.wire.openai.requests import ContentPart, EmbeddingsEnvelope, Fused, Message, Plain
from service.wire.requests.embed import EmbedEnvelope
from service.wire.requests.items import KINDS

INPUTS = "/inputs"
FORMS = "an input is a string, a list of token ids, or an object with one of: text, image, audio, parts, content, type"

_PART: TypeAdapter[Any] = TypeAdapter(ContentPart)
_FUSED: TypeAdapter[Fused] = TypeAdapter(Fused)
_MESSAGE: TypeAdapter[Fused] = TypeAdapter(Message)


@dataclass(slots=True)
class Places:
    """Where a caller wrote what stands at a pointer of the `/embed` request."""

    known: dict[str, str] = field(default_factory=lambda: {INPUTS: "/input", "/encoding": "/encoding_format"})

    def origin(self, pointer: str) -> str:
        """The caller's own pointer: the longest known head is replaced."""
        head = pointer
        while head:
            if head in self.known:
                return self.known[head] + pointer[len(head) :]
            head = head.rpartition("/")[0]
        return pointer

    def relocate(self, error: InvalidRequest) -> InvalidRequest:
        """The error with the caller's own pointers."""
        for item in error.errors:
            item.pointer = self.origin(item.pointer)
        return error


def translate(wanted: EmbeddingsEnvelope, places: Places, *, max_items: int) -> EmbedEnvelope:
    """The same request in the words of `/embed`; `places` learns where its items came from.

    Raises:
        InvalidRequest: names every input of a wrong form, at the caller's own places.
    """
    translator = _Translator(places, max_items, wanted.modality)
    if wanted.messages is not None:
        places.known[INPUTS] = "/messages"
        translator.add_fused(_MESSAGE, wanted.messages[0], "/messages/0")
    elif isinstance(wanted.input, list) and not _is_token_ids(wanted.input):
        refuse_too_many(len(wanted.input), max_items, "/input")
        for index, entry in enumerate(wanted.input):
            translator.add(entry, f"/input/{index}")
    else:
        translator.add(wanted.input, "/input")
    if wanted.modality != "text" and not translator.has_strings:
        detail = "modality says what the strings of 'input' are; there is none"
        translator.errors.append(InvalidField(detail, pointer="/modality"))
    if translator.errors:
        raise InvalidRequest(translator.errors)
    value = {"inputs": translator.items, "encoding": wanted.encoding_format or "float", "dimensions": wanted.dimensions}
    try:
        return check(EmbedEnvelope, value, strict=True, max_items=max_items)
    except InvalidRequest as error:
        raise places.relocate(error) from error


class _Translator:
    """Collects the items of `/embed`, and what is wrong with the caller's inputs."""

    def __init__(self, places: Places, max_items: int, modality: str) -> None:
        self._known, self._max_items, self._modality = places.known, max_items, modality
        self._count = 0
        self.has_strings = False
        self.items: list[Plain] = []
        self.errors: list[InputError] = []

    def add(self, entry: object, place: str) -> None:
        """One input that stands at `place`."""
        match entry:
            case str():
                self.has_strings = True
                self._append({self._modality: entry}, {f"/{self._modality}": place})
            case list():
                self._append({"tokens": entry}, {"/tokens": place})
            case {"content": _}:
                self.add_fused(_FUSED, entry, place)
            case {"type": _}:
                self._add_part(entry, place)
            case dict() if not entry.keys().isdisjoint(KINDS):
                self._append(entry, {"": place})
            case _:
                self.errors.append(InvalidField(FORMS, pointer=place))

    def add_fused(self, form: TypeAdapter[Fused], entry: object, place: str) -> None:
        """An object whose `content` gives one vector."""
        content = entry.get("content") if isinstance(entry, dict) else None
        self._count += len(content) if isinstance(content, list) else 1
        refuse_too_many(self._count, self._max_items, f"{place}/content")
        checked = self._checked(form, entry, place)
        if checked is None:
            return
        if isinstance(checked.content, str):
            self._append({"text": checked.content}, {"": place, "/text": f"{place}/content"})
            return
        parts, places = [], {"": place}
        for index, part in enumerate(checked.content):
            item, inner = part.plain()
            parts.append(item)
            places[f"/parts/{index}"] = f"{place}/content/{index}"
            places[f"/parts/{index}/{_kind(item)}"] = f"{place}/content/{index}/{inner}"
        self._append({"parts": parts}, places)

    def _add_part(self, entry: object, place: str) -> None:
        part = self._checked(_PART, entry, place)
        if part is not None:
            item, inner = part.plain()
            self._append(item, {"": place, f"/{_kind(item)}": f"{place}/{inner}"})

    def _checked(self, form: TypeAdapter[Any], entry: object, place: str) -> Any:
        try:
            refuse_wide_objects(entry, place)
            return check_value(form, entry, place)
        except InvalidRequest as error:
            self.errors.extend(error.errors)
            return None

    def _append(self, item: Plain, places: dict[str, str]) -> None:
        at = f"{INPUTS}/{len(self.items)}"
        self._known.update({at + pointer: origin for pointer, origin in places.items()})
        self.items.append(item)


def _kind(item: Plain) -> str:
    return next(iter(item))


def _is_token_ids(value: Sequence[object]) -> bool:
    """Whether a list is one text; a number that is no id is refused there, by its place."""
    return bool(value) and isinstance(value[0], int | float)
