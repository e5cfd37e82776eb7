"""The schemas of problems: one for each status, with the codes that it may have, so that typed clients tell them apart.

`problem.py` renders what these describe.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from service import errors

SCHEMA_REF = "#/components/schemas/"
ABSTRACT = (errors.RequestError, errors.InputError, errors.Unavailable)  # only their subclasses are raised


def _codes_by_status() -> dict[int, list[str]]:
    codes: dict[int, list[str]] = {}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.ServiceError) and kind not in ABSTRACT:
            codes.setdefault(kind.status, []).append(kind.code)
    return dict(sorted(codes.items()))


CODES_BY_STATUS = _codes_by_status()
Code = Annotated[
    str,
    Field(
        description="stable; docs/api.md lists them",
        json_schema_extra={"enum": [code for codes in CODES_BY_STATUS.values() for code in codes]},
    ),
]


class ProblemEntry(BaseModel):
    """One thing that is wrong."""

    pointer: str = Field(description="JSON pointer into the request; empty where it is about the whole")
    code: Code
    detail: str
    limit: float | SkipJsonSchema[None] = Field(None, description="what is allowed")
    actual: float | SkipJsonSchema[None] = Field(None, description="what came instead")


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: Code
    request_id: str
    errors: list[ProblemEntry]


def problem_name(status: int) -> str:
    """The component that describes the problems of a status."""
    return f"{Problem.__name__}{status}"


def problem_schemas() -> dict[str, Any]:
    """`Problem429` and its like, and `Problem`, which is any of them."""
    general = Problem.model_json_schema(ref_template=SCHEMA_REF + "{model}")
    schemas: dict[str, Any] = general.pop("$defs")
    for status, codes in CODES_BY_STATUS.items():
        narrowed = {
            "status": {"type": "integer", "const": status},
            "code": {**general["properties"]["code"], "enum": codes},
        }
        name = problem_name(status)
        schemas[name] = {**general, "title": name, "properties": general["properties"] | narrowed}
    one_of = [{"$ref": SCHEMA_REF + problem_name(status)} for status in CODES_BY_STATUS]
    return schemas | {Problem.__name__: {"description": Problem.__doc__, "oneOf": one_of}}
