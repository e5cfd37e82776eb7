"""Reads a request's body within its limits and has it checked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from service.admission import Admission
from service.context import RequestContext
from service.errors import BodyTooLarge, InvalidRequest, MalformedBody, QueueFull, UnsupportedBody
from service.settings import Settings
from service.wire.checking import check, parse_json
from service.wire.form import FormRule, arrange, name_missing
from service.wire.multipart import parse_multipart
from service.wire.requests.schema import RequestSchema

JSON, MULTIPART = "application/json", "multipart/form-data"
Headers = Mapping[bytes, bytes]
Schema = TypeVar("Schema", bound=RequestSchema)


@dataclass(frozen=True, slots=True)
class BodyReader:
    """Reads bodies within the service's limits."""

    settings: Settings
    admission: Admission

    def require_room(self, headers: Headers) -> None:
        """Make sure that there is room for a body that may be one that is taken; of others `read` says what is wrong.

        Raises:
            QueueFull: see `Admission.check_room`.
        """
        declared = _declared_bytes(headers)
        is_small = declared is not None and declared <= self.settings.max_body_bytes
        if is_small and _media_type(headers) in (JSON, MULTIPART):
            self.admission.check_room()

    async def read(
        self, request: Request, context: RequestContext, schema: type[Schema], form: Mapping[str, FormRule]
    ) -> Schema:
        """The checked request, from JSON or multipart.

        Raises:
            BodyTooLarge, QueueFull: the body breaks a limit; nothing of it is kept.
            UnsupportedBody, MalformedBody: it is neither JSON nor multipart, or broken.
            InvalidRequest: names every field that is wrong.
        """
        started_s = time.perf_counter()
        _refuse_encoded(context)
        media_type = _media_type(context.headers)
        max_items = self.settings.max_items
        try:
            if media_type == JSON:
                value = parse_json(await self._bytes(request, context))
                return check(schema, value, strict=True, max_items=max_items)
            if media_type == MULTIPART:
                fields = parse_multipart(await self._bytes(request, context), _content_type(context.headers))
                value = arrange(fields, form)
                try:
                    return check(schema, value, strict=False, max_items=max_items)
                except InvalidRequest as error:
                    raise name_missing(error, value, form) from error
        finally:
            context.stages.spent("read", started_s)
        raise UnsupportedBody("the content type must be application/json or multipart/form-data")

    async def read_json(self, request: Request, context: RequestContext) -> object:
        """The values of a JSON body, unchecked.

        Raises:
            BodyTooLarge, QueueFull: the body breaks a limit; nothing of it is kept.
            UnsupportedBody, MalformedBody: it is not JSON.
        """
        started_s = time.perf_counter()
        _refuse_encoded(context)
        try:
            if _media_type(context.headers) != JSON:
                raise UnsupportedBody("the content type must be application/json")
            return parse_json(await self._bytes(request, context))
        finally:
            context.stages.spent("read", started_s)

    async def _bytes(self, request: Request, context: RequestContext) -> bytes:
        limit = self.settings.max_body_bytes
        declared = _declared_bytes(context.headers)
        if declared is not None and declared > limit:
            raise BodyTooLarge("the body is too large", limit=limit, actual=declared)
        self.admission.check_room()  # not every body was asked about at the door
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise BodyTooLarge("the body is too large", limit=limit)
                self.admission.take(context, num_bytes=len(chunk))  # as they come: an idle caller must not hold room
                context.body_bytes = size
                chunks.append(chunk)
        except (BodyTooLarge, QueueFull):
            self.admission.release(context)  # the answer may linger: others need the room
            raise
        except ClientDisconnect as error:
            raise MalformedBody("the body was cut off") from error
        context.body_read_s = asyncio.get_running_loop().time()
        context.stages.deadline_s = context.body_read_s + self.settings.deadline_ms / 1000
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _refuse_encoded(context: RequestContext) -> None:
    if context.headers.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b""):
        raise UnsupportedBody("compressed bodies are not taken: send the body as it is, without Content-Encoding")


def _declared_bytes(headers: Headers) -> int | None:
    declared = headers.get(b"content-length", b"")
    return int(declared[:20]) if declared.isdigit() else None


def _content_type(headers: Headers) -> str:
    return headers.get(b"content-type", b"").decode("latin-1")


def _media_type(headers: Headers) -> str:
    return _content_type(headers).partition(";")[0].strip().lower()
