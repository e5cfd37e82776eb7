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
    """What `form.arrange` takes for `request`. A field for items is never required: other kinds may stand for it."""
    whole = request.model_json_schema(ref_template="{model}")
    properties = {name: _field_schema(rule, whole) for name, rule in form.items()}
    required = [name for name, rule in form.items() if not rule.key and rule.target in whole["required"]]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | {"required": required} if required else schema


def _field_schema(rule: FormRule, whole: Schema) -> Schema:
    if rule.binary or (rule.key and not rule.part_of):
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
