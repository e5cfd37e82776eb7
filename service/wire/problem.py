"""Errors as RFC 9457 problems, below `/v1/` in OpenAI's shape.

The one place that renders them, for handlers, middleware and documentation.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from service.context import RequestContext
from service.errors import (
    BodyTooLarge,
    BytesFull,
    Forbidden,
    InputError,
    InvalidRequest,
    Number,
    QueueFull,
    RateLimited,
    RequestError,
    RequestTooSlow,
    ServiceError,
    Unauthenticated,
    Unavailable,
    UnknownPath,
    UnsupportedBody,
    WrongMethod,
)
from service.wire.openai import errors as openai

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:onepeace:problem:"
LINGER_S = 5.0
UNREAD = (
    BodyTooLarge | Unauthenticated | Forbidden | RateLimited | QueueFull | UnsupportedBody | UnknownPath | WrongMethod
)
"""Said, as a rule, before the body has come."""
LARGEST_NUMBER = 2**63 - 1


def problem_body(error: ServiceError, *, request_id: str, instance: str) -> dict[str, Any]:
    """The members of a problem; `errors` lists what was wrong, each with its limit and what came instead."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + error.code,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        "request_id": request_id,
    }
    if isinstance(error, InvalidRequest):
        only = error.errors[0] if len(error.errors) == 1 else None
        if only is not None:
            body["code"], body["type"] = only.code, TYPE_PREFIX + only.code
        body["errors"] = [input_error_body(item) for item in error.errors]
    else:
        body["errors"] = [_details(error, "")]
    return body


def input_error_body(error: ServiceError) -> dict[str, Any]:
    """One entry of `errors`; also the `error` of an item under `on_error: report`."""
    return _details(error, error.pointer if isinstance(error, InputError) else "")


def _details(error: ServiceError, pointer: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"pointer": pointer, "code": error.code, "detail": error.detail}
    entry.update({k: v for k, v in (("limit", error.limit), ("actual", error.actual)) if _is_writable(v)})
    return entry


def _is_writable(number: Number | None) -> bool:
    """Whether JSON's writer takes it: a form's field may hold thousands of digits."""
    return number is not None and abs(number) <= LARGEST_NUMBER


class LingeringResponse(Response):
    """Answers before the body is read whole, then swallows the rest for a while.

    A client that is still sending would otherwise meet a reset connection instead of the answer.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI's signature)
        """Send the answer, discard what still comes, end."""
        start: Message = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await send(start)
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        try:
            async with asyncio.timeout(LINGER_S):
                while (await receive()).get("more_body"):
                    pass
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b""})


def problem_response(request: Request, error: ServiceError) -> Response:
    """Render an error for the request that met it, and note it for the metrics."""
    request.scope["onepeace.error"] = error.let_go()
    context: RequestContext | None = request.scope.get("onepeace.context")
    request_id = context.request_id if context else ""
    media_type, status = MEDIA_TYPE, error.status
    if request.scope["path"].startswith(openai.PREFIX):
        body, media_type, status = openai.openai_error_body(error), openai.MEDIA_TYPE, openai.openai_status(status)
    else:
        body = problem_body(error, request_id=request_id, instance=quote(request.scope["path"]))
    content = orjson.dumps(body)
    headers = {}
    if isinstance(error, Unavailable) and error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthenticated | Forbidden):
        headers["WWW-Authenticate"] = _challenge(error)
    if isinstance(error, BodyTooLarge | RequestTooSlow | Unauthenticated):
        headers["Connection"] = "close"  # the rest of the body must not be taken for the next request
    response_class = LingeringResponse if _lingers(error, context) else Response
    return response_class(content, status, headers, media_type)


def _lingers(error: ServiceError, context: RequestContext | None) -> bool:
    """Whether the body may still be on its way. `BytesFull` may be met at its very end, where waiting would be vain."""
    if (context is not None and context.body_read_s is not None) or isinstance(error, BytesFull):
        return False
    return isinstance(error, UNREAD)


def _challenge(error: Unauthenticated | Forbidden) -> str:
    """RFC 6750, 3: how to send a key, and what is wrong with that which came."""
    challenge = 'Bearer realm="onepeace"'
    if isinstance(error, Forbidden):
        return f'{challenge}, error="insufficient_scope", scope="{error.scope}"'
    return f'{challenge}, error="invalid_token"' if error.presented else challenge


async def handle_service_error(request: Request, error: Exception) -> Response:
    """For Starlette: an error of a path with parameters, which it routes itself."""
    return problem_response(request, error if isinstance(error, ServiceError) else ServiceError("something went wrong"))


async def handle_exception(request: Request, error: Exception) -> Response:  # noqa: ARG001 (Starlette's signature)
    """For Starlette: a fault of ours outside the lean endpoints; it logs the exception itself."""
    return problem_response(request, ServiceError("something went wrong here"))


async def handle_http_exception(request: Request, error: Exception) -> Response:
    """For Starlette: its own 404 and 405."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = (error.headers if isinstance(error, HTTPException) else None) or {}
    known: RequestError
    if status == WrongMethod.status:
        known = WrongMethod(f"this endpoint takes {headers.get('Allow', 'another method')}")
    elif status == UnknownPath.status:
        known = UnknownPath("no such endpoint; /docs lists them")
    else:
        known = RequestError("the request can't be read")
    response = problem_response(request, known)
    response.headers.update(headers)
    return response
