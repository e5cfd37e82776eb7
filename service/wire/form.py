"""Multipart fields in the shape of the JSON, so that one set of schemas checks both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import InputError, InvalidField, InvalidRequest, InvalidText
from service.wire.multipart import FormField
from service.wire.pointers import escape

MAX_ERRORS = 32  # of one answer


@dataclass(frozen=True, slots=True)
class FormRule:
    """Where a multipart field goes in the JSON's shape.

    `target` is the JSON field; with a `key` the value becomes the item `{key: value}`. `many` fields may be repeated
    and make a list. `binary` fields keep their bytes, the others are UTF-8 text.
    """

    target: str
    key: str = ""
    many: bool = False
    binary: bool = False


def arrange(fields: Sequence[FormField], form: Mapping[str, FormRule]) -> dict[str, Any]:
    """The JSON that would say the same, with bytes in the place of base64.

    Raises:
        InvalidRequest: names every field that is unknown, not UTF-8, or repeated though it may not be.
    """
    value: dict[str, Any] = {}
    errors: dict[str, InputError] = {}
    for entry in fields:
        rule = form.get(entry.name)
        pointer = f"/{escape(entry.name)}"
        if rule is None:
            errors[pointer] = InvalidField(f"unknown field; known are {', '.join(form)}", pointer=pointer)
            continue
        content: Any = entry.content
        if not rule.binary:
            try:
                content = entry.content.decode("utf-8")
            except UnicodeDecodeError:
                errors[pointer] = InvalidText("a text field must be UTF-8", pointer=pointer)
                continue
        if rule.key:
            content = {rule.key: content}
        if rule.many:
            value.setdefault(rule.target, []).append(content)
        elif rule.target in value:
            errors[pointer] = InvalidField(f"'{rule.target}' may stand only once", pointer=pointer)
        else:
            value[rule.target] = content
        if len(errors) > MAX_ERRORS:
            break
    if errors:
        raise InvalidRequest(list(errors.values())[:MAX_ERRORS])
    return value
