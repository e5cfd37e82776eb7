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
    and make a list; of `one_or_many` a single one stands for itself. `binary` fields keep their bytes, the others are
    UTF-8 text. With `part_of` the value becomes one field of the object `target`.
    """

    target: str
    key: str = ""
    many: bool = False
    one_or_many: bool = False
    part_of: bool = False
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
        if not _place(value, rule, content):
            rivals = _names(form, rule.target) if rule.key and not rule.part_of else [entry.name]
            which = "may stand" if len(rivals) == 1 else "together may stand"
            detail = f"{' and '.join(map(repr, rivals))} {which} only once"
            errors[pointer] = InvalidField(detail, pointer=pointer)
        if len(errors) > MAX_ERRORS:
            break
    if errors:
        raise InvalidRequest(list(errors.values())[:MAX_ERRORS])
    return value


def name_missing(error: InvalidRequest, value: Mapping[str, Any], form: Mapping[str, FormRule]) -> InvalidRequest:
    """The error of a form's `value`, with what is missing named as the form has it; one of several is needed: all."""
    for item in error.errors:
        target = item.pointer.removeprefix("/")
        names = _names(form, target)
        if target not in value and names:
            item.detail = f"a field is missing: {' or '.join(map(repr, names))}"
            item.pointer = f"/{names[0]}" if len(names) == 1 else item.pointer
    return InvalidRequest(error.errors)


def _names(form: Mapping[str, FormRule], target: str) -> list[str]:
    return [name for name, rule in form.items() if rule.target == target]


def _place(value: dict[str, Any], rule: FormRule, content: Any) -> bool:
    """Put one field where it belongs; False when its place is taken."""
    if rule.part_of:
        target = value.setdefault(rule.target, {})
        is_free = rule.key not in target
        target.setdefault(rule.key, content)
        return is_free
    if rule.key:
        content = {rule.key: content}
    if rule.many:
        value.setdefault(rule.target, []).append(content)
    elif rule.target not in value:
        value[rule.target] = content
    elif rule.one_or_many:
        earlier = value[rule.target]
        value[rule.target] = [*earlier, content] if isinstance(earlier, list) else [earlier, content]
    else:
        return False
    return True
