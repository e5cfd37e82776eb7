"""Reads a request's body within its limits and turns it into the plain values that schemas check."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from service.admission import Admission
from service.context import RequestContext
from service.errors import (
    BodyTooLarge,
    BodyTooSlow,
    InputError,
    InvalidField,
    InvalidRequest,
    InvalidText,
    MalformedBody,
    TooManyItems,
    UnsupportedBody,
)
from service.settings import Settings
from service.wire.multipart import FormField, parse_multipart
from service.wire.schemas import TAG_PREFIX

MAX_ERRORS = 32
Schema = TypeVar("Schema", bound=BaseModel)


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


@dataclass(frozen=True, slots=True)
class BodyReader:
    """Reads bodies within the service's limits."""

    settings: Settings
    admission: Admission

    async def read(
        self, request: Request, context: RequestContext, schema: type[Schema], form: Mapping[str, FormRule]
    ) -> Schema:
        """The checked request, from JSON or multipart.

        Raises:
            BodyTooLarge, BodyTooSlow, QueueFull: the body breaks a limit; nothing of it is kept.
            UnsupportedBody, MalformedBody: it is neither JSON nor multipart, or broken.
            InvalidRequest: names every field that is wrong.
        """
        started = time.perf_counter()
        content_type = context.headers.get(b"content-type", b"").decode("latin-1")
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type == "application/json":
            checked = self._check(schema, parse_json(await self._bytes(request, context)), strict=True)
        elif media_type == "multipart/form-data":
            fields = parse_multipart(await self._bytes(request, context), content_type)
            checked = self._check(schema, _arrange(fields, form), strict=False)
        else:
            raise UnsupportedBody("the content type must be application/json or multipart/form-data")
        context.stages.read += time.perf_counter() - started
        return checked

    async def _bytes(self, request: Request, context: RequestContext) -> bytes:
        limit = self.settings.max_body_bytes
        declared = context.headers.get(b"content-length", b"")
        length = int(declared) if declared.isdigit() else 0
        if length > limit:
            raise BodyTooLarge("the body is too large", limit=limit, actual=length)
        self.admission.take_bytes(context, length)
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.settings.read_timeout_ms / 1000):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > limit:
                        raise BodyTooLarge("the body is too large", limit=limit)
                    if size > context.held_bytes:
                        self.admission.take_bytes(context, size - context.held_bytes)
                    chunks.append(chunk)
        except TimeoutError as error:
            limit_ms = self.settings.read_timeout_ms
            raise BodyTooSlow("the body took too long to arrive", limit=limit_ms) from error
        except ClientDisconnect as error:
            raise MalformedBody("the body was cut off") from error
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _check(self, schema: type[Schema], value: object, *, strict: bool) -> Schema:
        if isinstance(value, dict):
            self._count_items(value)
        try:
            return schema.model_validate(value, strict=strict)
        except ValidationError as error:
            raise InvalidRequest(_input_errors(error)) from error

    def _count_items(self, value: dict[str, Any]) -> None:
        """Refuse long lists before any element is looked at."""
        limit = self.settings.max_items
        errors: list[InputError] = []
        for name, content in value.items():
            entries = content if isinstance(content, list) else [content]
            parts = (len(entry.get("parts") or ()) for entry in entries if _is_fused(entry))
            count = max(len(entries), sum(parts)) if len(entries) <= limit else len(entries)
            if count > limit:
                detail = f"'{name}' has too many items"
                errors.append(TooManyItems(detail, limit=limit, actual=count, pointer=f"/{_escape(name)}"))
        if errors:
            raise InvalidRequest(errors)


def parse_json(body: bytes) -> object:
    """Parse JSON (RFC 8259): no NaN, no lone surrogates, bounded depth.

    Raises:
        MalformedBody: says where it breaks.
    """
    if not body:
        raise MalformedBody("the body is empty")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        place = f" at line {error.lineno}, column {error.colno}" if error.pos else ""
        raise MalformedBody(f"the body is not valid JSON: {error.msg.partition(':')[0]}{place}") from error


def _is_fused(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("parts"), list)


def _arrange(fields: Sequence[FormField], form: Mapping[str, FormRule]) -> dict[str, Any]:
    """Multipart fields in the shape of the JSON; unknown ones keep their name, for the schema to refuse."""
    value: dict[str, Any] = {}
    errors: list[InputError] = []
    for entry in fields:
        rule = form.get(entry.name, FormRule(entry.name))
        content: Any = entry.content
        if not rule.binary:
            try:
                content = entry.content.decode("utf-8")
            except UnicodeDecodeError:
                errors.append(InvalidText("a text field must be UTF-8", pointer=f"/{_escape(entry.name)}"))
                continue
        if rule.key:
            content = {rule.key: content}
        if rule.many:
            value.setdefault(rule.target, []).append(content)
        elif rule.target in value:
            errors.append(InvalidField("this may stand only once", pointer=f"/{_escape(rule.target)}"))
        else:
            value[rule.target] = content
    if errors:
        raise InvalidRequest(errors[:MAX_ERRORS])
    return value


def _input_errors(error: ValidationError) -> list[InputError]:
    errors: list[InputError] = []
    for item in error.errors(include_url=False, include_context=True, include_input=False)[:MAX_ERRORS]:
        steps = [str(step) for step in item["loc"] if not str(step).startswith(TAG_PREFIX)]
        pointer = "".join(f"/{_escape(step)}" for step in steps)
        context = item.get("ctx", {})
        limit = next((context[key] for key in ("max_length", "min_length", "ge", "le") if key in context), None)
        errors.append(InvalidField(item["msg"], limit=limit, actual=context.get("actual_length"), pointer=pointer))
    return errors


def _escape(step: str) -> str:
    """One step of a JSON pointer (RFC 6901), bounded because a caller chose it."""
    return step[:64].encode("utf-8", "replace").decode().replace("~", "~0").replace("/", "~1")
