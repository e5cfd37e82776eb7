"""Requests made from the OpenAPI document, right and wrong ones; answers are held to the document, too."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from tests.load.experiment import Experiment, Figure, Scale
from tests.load.server import server_apart

if TYPE_CHECKING:
    import requests
    from schemathesis import Case

CASES: dict[Scale, int] = {"full": 320, "small": 6}
"""For each operation and media type that has something to fill in, right ones and wrong ones each."""
PATIENCE_S = 60.0


@dataclass(slots=True)
class Seen:
    """What came of the cases. `faulty` and `unlike` have one line for each kind of failure."""

    statuses: Counter[int] = field(default_factory=Counter)
    faulty: Counter[str] = field(default_factory=Counter)
    unlike: Counter[str] = field(default_factory=Counter)
    hung: int = 0
    unsent: int = 0
    impossible: int = 0
    slowest_s: float = 0.0


def send(case: Case, url: str, session: requests.Session, seen: Seen) -> None:
    """Send one, and compare the answer with the document."""
    import requests
    from schemathesis.checks import not_a_server_error
    from schemathesis.core.failures import FailureGroup
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    where, started = f"{case.method} {case.operation.path}", time.perf_counter()
    try:
        response = case.call(base_url=url, session=session, timeout=PATIENCE_S)
    except requests.Timeout:
        seen.hung += 1
        return
    except requests.ConnectionError:
        seen.faulty[f"{where}: connection lost"] += 1
        return
    except (requests.RequestException, UnicodeError):  # the client itself can't write such a header or path
        seen.unsent += 1
        return
    seen.slowest_s = max(seen.slowest_s, time.perf_counter() - started)
    seen.statuses[response.status_code] += 1
    if response.status_code >= 500:
        seen.faulty[f"{where}: {response.status_code}"] += 1
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    try:
        case.validate_response(response, checks=checks)
    except FailureGroup as failures:
        for failure in failures.exceptions:
            what = f"{where}: {response.status_code}, {getattr(failure, 'title', type(failure).__name__)}"
            seen.unlike[what] += 1


def send_cases(document: dict[str, Any], url: str, count: int) -> Seen:
    """`count` for each operation that takes something, in each way to be right or wrong."""
    import hypothesis
    import requests
    import schemathesis
    from hypothesis import HealthCheck, Phase
    from hypothesis.errors import Unsatisfiable

    seen, session = Seen(), requests.Session()
    schema = schemathesis.openapi.from_dict(document)
    for strategy in strategies(schema):
        quiet = hypothesis.settings(
            max_examples=count,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )

        @quiet
        @hypothesis.given(case=strategy)
        def one(case: Case) -> None:
            send(case, url, session, seen)

        try:
            one()
        except Unsatisfiable:  # of a path that may hold any text, nothing is wrong
            seen.impossible += 1
    session.close()
    return seen


def strategies(schema: Any) -> Iterator[Any]:
    """One for each operation, media type and mode. Operations without input have nothing to be wrong."""
    from schemathesis import GenerationMode

    for found in schema.get_all_operations():
        operation = found.ok()
        media_types = [body.media_type for body in operation.body] or [None]
        for media_type in media_types:
            chosen = {} if media_type is None else {"media_type": media_type}
            yield operation.as_strategy(generation_mode=GenerationMode.POSITIVE, **chosen)
            if media_type or list(operation.path_parameters):
                yield operation.as_strategy(generation_mode=GenerationMode.NEGATIVE, **chosen)


def run(scale: Scale) -> Sequence[Figure]:
    """Ask the server for its document, and send what it says and what it does not."""
    with server_apart() as server:
        document = httpx.get(server.url + "/openapi.json").json()
        seen = send_cases(document, server.url, CASES[scale])
        ready = httpx.get(server.url + "/health/ready").status_code
    answered = ", ".join(f"{count:,} × {status}" for status, count in sorted(seen.statuses.items()))
    return [
        Figure("cases", seen.statuses.total(), at_least={"full": 10_000, "small": 100}[scale]),
        Figure("… answered", answered),
        Figure("5xx, lost connections", seen.faulty.total(), at_most=0),
        *(Figure("…", f"{count} × {what}") for what, count in seen.faulty.most_common(10)),
        Figure("answers unlike the document: status, media type, schema", seen.unlike.total(), at_most=0),
        *(Figure("…", f"{count} × {what}") for what, count in seen.unlike.most_common(10)),
        Figure("hung", seen.hung, at_most=0),
        Figure("slowest answer", seen.slowest_s, "s", at_most=PATIENCE_S),
        Figure("`/health/ready` afterwards", ready, at_least=200, at_most=200),
    ]


EXPERIMENT = Experiment("generated_requests", "Requests made from the OpenAPI document", run)
