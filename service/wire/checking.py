"""Plain values against schemas: what is too much is refused before anything looks at its elements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from service.errors import BodyTooLarge, InputError, InvalidField, InvalidRequest, MalformedBody, TooManyItems
from service.usecases.items import Item
from service.wire.pointers import escape
from service.wire.requests.items import EmbedItem
from service.wire.requests.schema import TAG_PREFIX, RequestSchema

Schema = TypeVar("Schema", bound=RequestSchema)
T = TypeVar("T")
MAX_ERRORS = 256  # of one answer
MAX_FIELDS = 32  # of one object
MAX_JSON_VALUES = 1_000_000  # of one body; 500 vectors of 1536 numbers have 768,000

DETAILS = {"model_type": "Input should be an object", "model_attributes_type": "Input should be an object"} | {
    "int_type": "Input should be an integer, of at most 64 bits"
}
"""Our words where pydantic's would speak of Python."""

_EMBED_ITEM: TypeAdapter[Any] = TypeAdapter(EmbedItem)


def parse_json(body: bytes) -> object:
    """Parse JSON (RFC 8259): no NaN, no lone surrogates, bounded depth and number of values.

    Raises:
        MalformedBody: says where it breaks.
        BodyTooLarge: more values than would be sane; small ones take fifty times their bytes in memory.
    """
    if not body:
        raise MalformedBody("the body is empty")
    if len(body) > MAX_JSON_VALUES:
        values = body.count(b",") + body.count(b"[") + body.count(b"{")
        if values > MAX_JSON_VALUES:
            raise BodyTooLarge("the JSON holds too many values", limit=MAX_JSON_VALUES, actual=values)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        place = f" at line {error.lineno}, column {error.colno}" if error.pos else ""
        raise MalformedBody(f"the body is not valid JSON: {error.msg.partition(':')[0]}{place}") from error


def check(schema: type[Schema], value: object, *, strict: bool, max_items: int | None) -> Schema:
    """Check a whole request; `strict` takes no "5" for 5. Without `max_items` nobody counts: the items come later.

    Raises:
        InvalidRequest: names every field that is wrong.
    """
    if isinstance(value, dict):
        _count_fields(value, "")
        value = _without_nulls(schema, value)
        if max_items is not None:
            _count_items(value, schema.counted, max_items)
    try:
        return schema.model_validate(value, strict=strict)
    except ValidationError as error:
        raise InvalidRequest(_input_errors(error, "")) from error


def check_items(values: Iterable[object], pointer: str) -> list[Item | InputError]:
    """Check each item by itself; an error stands in the place of its item, so that it need not harm the others."""
    items: list[Item | InputError] = []
    for index, value in enumerate(values):
        place = f"{pointer}/{index}"
        try:
            items.append(_EMBED_ITEM.validate_python(value, strict=True).item(place))
        except ValidationError as error:
            items.append(_input_errors(error, place)[0])
    return items


def check_value(form: TypeAdapter[T], value: object, pointer: str) -> T:
    """Check one value that stands at `pointer`.

    Raises:
        InvalidRequest: names every field that is wrong.
    """
    try:
        return form.validate_python(value, strict=True)
    except ValidationError as error:
        raise InvalidRequest(_input_errors(error, pointer)) from error


def refuse_wide_objects(value: object, pointer: str) -> None:
    """Look at every object within a value that stands at `pointer`.

    Raises:
        InvalidRequest: one has more than `MAX_FIELDS` fields.
    """
    pending = [value]
    while pending:
        entry = pending.pop()
        if isinstance(entry, dict):
            _count_fields(entry, pointer)
            pending.extend(entry.values())
        elif isinstance(entry, list):
            pending.extend(inner for inner in entry if isinstance(inner, dict | list))


def refuse_too_many(count: int, max_items: int, pointer: str) -> None:
    """Make sure that a request has no more items than it may.

    Raises:
        InvalidRequest: it has.
    """
    if count > max_items:
        detail = "the request has too many items (parts, labels and phrases count)"
        raise InvalidRequest([TooManyItems(detail, limit=max_items, actual=count, pointer=pointer)])


def _count_fields(value: dict[str, Any], pointer: str) -> None:
    if len(value) > MAX_FIELDS:
        detail = "an object has too many fields"
        raise InvalidRequest([InvalidField(detail, limit=MAX_FIELDS, actual=len(value), pointer=pointer)])


def _count_items(value: dict[str, Any], counted: Sequence[str], max_items: int) -> None:
    """Count items, parts, labels and phrases of the whole request, and the fields of each object."""
    counts = {name: _count(value.get(name), name, max_items) for name in counted}
    for name, content in value.items():
        if name not in counts and isinstance(content, dict):
            _count_fields(content, f"/{escape(name)}")
    longest = max(counts, key=lambda name: counts[name], default="")
    refuse_too_many(sum(counts.values()), max_items, f"/{longest}")


def _without_nulls(schema: type[RequestSchema], value: dict[str, Any]) -> dict[str, Any]:
    """`null` says that an option is left out, whichever it is; what is required or unknown keeps it, and is refused."""
    if None not in value.values():
        return value
    fields = schema.model_fields
    return {
        name: content
        for name, content in value.items()
        if content is not None or name not in fields or fields[name].is_required()
    }


def _count(content: object, name: str, max_items: int) -> int:
    """The entries of a list, of fused items the parts; an item alone counts by its parts."""
    if isinstance(content, dict):
        _count_fields(content, f"/{name}")
        _count_weights(content, max_items)
        return _count_parts(content)
    if not isinstance(content, list) or len(content) > max_items:
        return len(content) if isinstance(content, list) else 0
    count = 0
    for index, entry in enumerate(content):
        if isinstance(entry, dict):
            _count_fields(entry, f"/{name}/{index}")
            _count_weights(entry, max_items)
            count += max(1, _count_parts(entry))
        else:
            count += 1
    return count


def _count_parts(entry: dict[str, Any]) -> int:
    parts = entry.get("parts")
    return len(parts) if isinstance(parts, list) else 0


def _count_weights(entry: dict[str, Any], max_items: int) -> None:
    weights = entry.get("weights")
    if isinstance(weights, list) and len(weights) > max_items:
        raise InvalidRequest([TooManyItems("too many weights", limit=max_items, actual=len(weights))])


def _input_errors(error: ValidationError, prefix: str) -> list[InputError]:
    errors: list[InputError] = []
    for item in error.errors(include_url=False, include_context=True, include_input=False)[:MAX_ERRORS]:
        steps = [str(step) for step in item["loc"] if not str(step).startswith(TAG_PREFIX)]
        pointer = prefix + "".join(f"/{escape(step)}" for step in steps)
        context = item.get("ctx", {})
        limit = next((context[key] for key in ("max_length", "min_length", "ge", "le") if key in context), None)
        detail = DETAILS.get(item["type"], item["msg"].removeprefix("Value error, "))
        errors.append(InvalidField(detail, limit=limit, actual=context.get("actual_length"), pointer=pointer))
    return errors
