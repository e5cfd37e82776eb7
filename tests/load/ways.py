"""The ways a file gets into the service, and what came of it in one form for REST and gRPC."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import grpc
import httpx

from service.rpc.generated import onepeace_pb2 as pb
from tests.load.hostile.seeds import Kind
from tests.load.rpc import embed_method
from tests.service.media_files import encoded

PATIENCE_S = 60.0
SERVER_FAULTS = frozenset(
    {
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was answered: `said` is a status with the error's code; `fault`: a 5xx, its like in gRPC, or no answer."""

    said: str
    fault: bool
    hung: bool = False


@dataclass(slots=True)
class Tally:
    """Outcomes of many requests. `faulty` has what was sent, for those at fault."""

    said: Counter[str] = field(default_factory=Counter)
    faulty: list[str] = field(default_factory=list)
    hung: int = 0
    slowest_s: float = 0.0
    slowest: str = ""

    def add(self, what: str, outcome: Outcome, seconds: float) -> None:
        """Count one."""
        self.said[outcome.said] += 1
        if seconds > self.slowest_s:
            self.slowest_s, self.slowest = seconds, what
        self.hung += outcome.hung
        if outcome.fault:
            self.faulty.append(f"{what}: {outcome.said}")

    def count(self, *parts: str) -> int:
        """How many answers held one of the parts."""
        return sum(count for said, count in self.said.items() if any(part in said for part in parts))

    def refused(self) -> int:
        """Answers that say what was wrong with the request."""
        return self.said.total() - self.count("200") - len(self.faulty)


class Sender:
    """Sends a file in one of the ways that fit its kind."""

    def __init__(self, http: httpx.AsyncClient, channel: grpc.aio.Channel) -> None:
        self._http, self._embed = http, embed_method(channel)
        both = [self._form_embed, self._json_embed, self._rpc_embed, self._openai]
        self._ways: dict[Kind, list[Callable[[Kind, bytes], Awaitable[Outcome]]]] = {
            "image": [*both, self._ground, self._classify],
            "audio": [*both, self._labels, self._windows],
        }

    async def send(self, kind: Kind, data: bytes, number: int) -> tuple[Outcome, float]:
        """The outcome and its seconds; `number` chooses the way."""
        ways = self._ways[kind]
        started = time.perf_counter()
        try:
            outcome = await ways[number % len(ways)](kind, data)
        except httpx.TimeoutException:
            outcome = Outcome("no answer in time", fault=True, hung=True)
        except httpx.TransportError as error:
            outcome = Outcome(type(error).__name__, fault=True)
        return outcome, time.perf_counter() - started

    async def _form_embed(self, kind: Kind, data: bytes) -> Outcome:
        return outcome_of(await self._http.post("/embed", files={kind: ("file", data)}))

    async def _json_embed(self, kind: Kind, data: bytes) -> Outcome:
        return outcome_of(await self._http.post("/embed", json={"inputs": [{kind: encoded(data)}]}))

    async def _openai(self, kind: Kind, data: bytes) -> Outcome:
        url = f"data:application/octet-stream;base64,{encoded(data)}"
        item = {"type": f"{kind}_url", f"{kind}_url": {"url": url}}
        return outcome_of(await self._http.post("/v1/embeddings", json={"model": "one-peace", "input": [item]}))

    async def _ground(self, kind: Kind, data: bytes) -> Outcome:
        form = {"phrase": "a cow", "scores": "true"}
        return outcome_of(await self._http.post("/ground", data=form, files={kind: ("file", data)}))

    async def _classify(self, kind: Kind, data: bytes) -> Outcome:
        form = {"label": ["cow", "dog"]}
        return outcome_of(await self._http.post("/classify", data=form, files={kind: ("file", data)}))

    async def _labels(self, kind: Kind, data: bytes) -> Outcome:
        return outcome_of(await self._http.post("/audio/labels", files={kind: ("file", data)}))

    async def _windows(self, kind: Kind, data: bytes) -> Outcome:
        form = {"window_seconds": "5", "window_hop": "5"}
        return outcome_of(await self._http.post("/embed", data=form, files={kind: ("file", data)}))

    async def _rpc_embed(self, kind: Kind, data: bytes) -> Outcome:
        try:
            await self._embed(pb.EmbedRequest(inputs=[pb.Item(**{kind: data})]), timeout=PATIENCE_S)
        except grpc.aio.AioRpcError as error:
            return outcome_of_rpc(error)
        return Outcome("200", fault=False)


def outcome_of(answer: httpx.Response) -> Outcome:
    """Of an HTTP answer."""
    if answer.status_code == 200:
        return Outcome("200", fault=False)
    body = answer.json()
    error = body.get("error", body)  # OpenAI's shape has it one step deeper
    return Outcome(f"{answer.status_code} {error.get('code')}", fault=answer.status_code >= 500)


def outcome_of_rpc(error: grpc.aio.AioRpcError) -> Outcome:
    """Of a gRPC status."""
    code = error.code()
    hung = code == grpc.StatusCode.DEADLINE_EXCEEDED and "deadline_ms" not in (error.details() or "")
    return Outcome(f"{code.name}: {error.details()}"[:60], fault=code in SERVER_FAULTS, hung=hung)
