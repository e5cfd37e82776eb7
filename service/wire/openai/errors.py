"""Errors in OpenAI's shape: what every path below `/v1/` answers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from service.errors import InputError, InvalidRequest, QueueFull, RateLimited, ServiceError
from service.wire.problem_schemas import Code

PREFIX = "/v1/"
MEDIA_TYPE = "application/json"
MAX_NAMED = 8  # wrong inputs in one message


class ErrorDetail(BaseModel):
    """What OpenAI's clients show."""

    message: str
    type: Literal["invalid_request_error", "rate_limit_error", "server_error"]
    param: str | None = Field(description="the first thing that is wrong, such as input[3].content[1].image_url.url")
    code: Code


class ErrorAnswer(BaseModel):
    """An error."""

    error: ErrorDetail


def openai_status(status: int) -> int:
    """OpenAI knows no 422: what is wrong with an input is a 400."""
    return 400 if status == InputError.status else status


def openai_error_body(error: ServiceError) -> dict[str, Any]:
    """The document; several wrong inputs are all named in the message, the first also as `param`."""
    wrong = error.errors if isinstance(error, InvalidRequest) else []
    code = wrong[0].code if len(wrong) == 1 else error.code
    return {
        "error": {
            "message": _message(error, wrong),
            "type": _type(error),
            "param": (param(wrong[0].pointer) or None) if wrong else None,
            "code": code,
        }
    }


def param(pointer: str) -> str:
    """A JSON pointer as OpenAI writes places: `/input/3/text` is `input[3].text`."""
    path = ""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        path += f"[{name}]" if name.isdecimal() else f".{name}"
    return path.removeprefix(".")


def _type(error: ServiceError) -> str:
    if isinstance(error, QueueFull | RateLimited):
        return "rate_limit_error"
    return "server_error" if error.status >= 500 else "invalid_request_error"


def _message(error: ServiceError, wrong: list[InputError]) -> str:
    if not wrong:
        return _said(error)
    if len(wrong) == 1:
        place = param(wrong[0].pointer)
        return f"{place}: {_said(wrong[0])}" if place else _said(wrong[0])
    named = "; ".join(f"{param(item.pointer)}: {_said(item)}" for item in wrong[:MAX_NAMED])
    more = f"; and {len(wrong) - MAX_NAMED} more" if len(wrong) > MAX_NAMED else ""
    return f"{len(wrong)} things are wrong: {named}{more}"


def _said(error: ServiceError) -> str:
    """The detail with its numbers, where it does not say them itself."""
    numbers = [
        f"{name} {value}"
        for name, value in (("limit", error.limit), ("actual", error.actual))
        if value is not None and str(value) not in error.detail
    ]
    return f"{error.detail} ({', '.join(numbers)})" if numbers else error.detail
