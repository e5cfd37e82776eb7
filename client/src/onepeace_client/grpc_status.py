"""gRPC's statuses as errors: the server's details where it sent any, else the code alone."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from onepeace_client.errors import (
    BY_CODE,
    DeadlineExceeded,
    Forbidden,
    InputProblem,
    NotConnected,
    OnePeaceError,
    RequestRefused,
    ServerFault,
    Unauthenticated,
    Unreachable,
    error_class,
)
from onepeace_client.generated import onepeace_pb2 as pb
from onepeace_client.wire import Reply

DETAILS_KEY = "grpc-status-details-bin"
OK = 0
NOT_CONNECTED = "failed to connect"
"""In the words of gRPC's own UNAVAILABLE when there is no connection; nothing else tells it from one that broke."""
BARE: dict[int, type[OnePeaceError]] = {
    1: Unreachable,  # CANCELLED: the connection was ended
    3: RequestRefused,  # INVALID_ARGUMENT
    4: DeadlineExceeded,
    5: RequestRefused,  # NOT_FOUND
    7: Forbidden,  # PERMISSION_DENIED
    8: RequestRefused,  # RESOURCE_EXHAUSTED: a message larger than gRPC itself takes
    12: RequestRefused,  # UNIMPLEMENTED
    14: Unreachable,  # UNAVAILABLE
    16: Unauthenticated,
}
"""Statuses that gRPC made up itself, or a proxy: https://grpc.io/docs/guides/status-codes/."""


def read_failure(reply: Reply) -> OnePeaceError | None:
    """The error of a reply, if it is one."""
    if reply.status == OK:
        return None
    problem, retry_after_s = _details(reply.headers.get(DETAILS_KEY))
    if problem is None:
        kind = BARE.get(reply.status, ServerFault)
        if kind is Unreachable and NOT_CONNECTED in reply.detail.lower():
            kind = NotConnected
        return kind(f"gRPC status {reply.status}: {reply.detail}")
    known, http_status = BY_CODE.get(problem.code, (error_class(problem.code, 500), None))
    more = f" (and {problem.omitted} more)" if problem.omitted else ""
    alone = [entry.detail for entry in problem.errors] if not more else []  # the status text has its place before it
    error = known(
        (alone[0] if len(alone) == 1 else reply.detail) + more,
        code=problem.code,
        status=http_status,
        request_id=problem.request_id or None,
        errors=[input_problem(entry) for entry in problem.errors],
    )
    error.retry_after_s = retry_after_s
    return error


def input_problem(entry: Any) -> InputProblem:
    """An ItemError as REST has it."""
    limit = _number(entry.limit) if entry.HasField("limit") else None
    actual = _number(entry.actual) if entry.HasField("actual") else None
    return InputProblem(entry.pointer, entry.code, entry.detail, limit, actual)


def _details(data: str | bytes | None) -> tuple[Any | None, float | None]:
    """The problem, and seconds to wait."""
    problem: Any | None = None
    retry_after_s: float | None = None
    try:
        details = status_pb2.Status.FromString(data).details if isinstance(data, bytes) else ()
        for detail in details:
            if detail.Is(pb.Problem.DESCRIPTOR):
                problem = pb.Problem.FromString(detail.value)
            elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                delay = error_details_pb2.RetryInfo.FromString(detail.value).retry_delay
                retry_after_s = delay.seconds + delay.nanos / 1e9
    except DecodeError:
        pass
    return problem, retry_after_s


def _number(value: float) -> int | float:
    return int(value) if value.is_integer() else value
