"""The schema of a multipart body: its fields, with the types and bounds that the JSON's have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from service.wire.form import FormRule

Schema = dict[str, Any]
BINARY: Schema = {"type": "string", "format": "binary"}
TEXT: Schema = {"type": "string"}


def form_schema(request: type[BaseModel], form: Mapping[str, FormRule]) -> Schema:
    """What `form.arrange` takes for `request`. Of the fields that make the same items one is needed, whichever."""
    whole = request.model_json_schema(ref_template="{model}")
    properties = {name: _field_schema(rule, whole) for name, rule in form.items()}
    required = [name for name, rule in form.items() if not rule.key and rule.target in whole["required"]]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    kinds = _kinds(form, properties)
    return schema | {"allOf": kinds} if kinds else schema


def _kinds(form: Mapping[str, FormRule], properties: Mapping[str, Schema]) -> list[Schema]:
    """For each list of items that one of its fields is there; for a lone item, that no other is."""
    choices: dict[tuple[str, str], list[Schema]] = {}
    for name, rule in form.items():
        if _makes_item(rule):
            needed = {"type": "object", "properties": {name: properties[name]}, "required": [name]}
            choices.setdefault(("anyOf" if rule.many else "oneOf", rule.target), []).append(needed)
    return [{keyword: fields} for (keyword, _), fields in choices.items()]


def _makes_item(rule: FormRule) -> bool:
    return bool(rule.key) and not rule.part_of


def _field_schema(rule: FormRule, whole: Schema) -> Schema:
    if rule.binary or _makes_item(rule):
        value = BINARY if rule.binary else TEXT
        return {"type": "array", "items": value} if rule.many else value
    field = _given(whole["properties"][rule.target])
    if rule.part_of:
        field = _given(whole["$defs"][field["$ref"]]["properties"][rule.key])
    if rule.one_or_many:
        return next(choice for choice in field["oneOf"] if choice["type"] == "array")
    return field


def _given(field: Schema) -> Schema:
    """A JSON field's schema without null, which a form can't say: there a field is left out."""
    field = {key: value for key, value in field.items() if key != "title" and (key, value) != ("default", None)}
    choices = [choice for choice in field.pop("anyOf", ()) if choice != {"type": "null"}]
    return field | choices[0] if len(choices) == 1 else field | {"anyOf": choices} if choices else field
