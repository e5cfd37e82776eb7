"""The rule itself: without a wire, a socket or a wait."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from service.access import ring as ring_module
from service.access.gate import Gate, build_gate
from service.access.key_file import KeyFileError
from service.access.scopes import USE_CASES, needs_of
from service.access.tokens import new_token
from service.app import ROUTERS
from service.context import RequestContext
from service.errors import Forbidden, RateLimited, ServiceError, Unauthenticated
from service.routes.lean import lean_endpoints
from service.rpc.generated import onepeace_pb2 as pb
from service.settings import Settings, SettingsError
from tests.service.access.known_keys import table, token_of, write_keys

PAST, FUTURE = "expires = 2020-01-01", "expires = 9000-01-01T00:00:00+02:00"


class Observer:
    def __init__(self) -> None:
        self.uses: Counter[tuple[str, str]] = Counter()
        self.items: Counter[str] = Counter()

    def key_used(self, key: str, outcome: str) -> None:
        self.uses[key, outcome] += 1

    def key_charged(self, key: str, outcome: str, items: int) -> None:
        self.items[outcome] += items


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def observer() -> Observer:
    return Observer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


def open_gate(path: Path, observer: Observer, clock: Clock, *tables: str, **settings: object) -> Gate:
    write_keys(path, *tables)
    wanted = Settings(api_keys_file=path, **settings)  # type: ignore[arg-type]
    return Gate(path, needs_of(wanted), observer, clock)


def sent(letter: str) -> list[bytes]:
    return [b"Bearer " + token_of(letter).encode()]


def test_a_known_key_with_the_scope_is_let_in(path: Path, observer: Observer, clock: Clock) -> None:
    gate = open_gate(path, observer, clock, table("a", "a", '["embed"]', FUTURE), table("b", "b", '["ground"]'))
    assert gate.admit("/embed", sent("a")) is not None
    assert gate.admit("/onepeace.v1.OnePeaceService/Ground", sent("b")) is not None
    assert observer.uses == {("a", "accepted"): 1, ("b", "accepted"): 1}


@pytest.mark.parametrize(
    "authorization",
    [
        [],
        [b""],
        [b"Bearer"],
        [b"Bearer "],
        [token_of("a").encode()],
        [b"Basic " + token_of("a").encode()],
        [b"Bearer" + token_of("a").encode()],
        [b"Bearer\t" + token_of("a").encode()],
        [b" Bearer " + token_of("a").encode()],
        [b"Bearer " + token_of("a").encode() + b" "],
        [b"Bearer " + token_of("a").encode() + b"\n"],
        [b"Bearer " + token_of("a").encode() + b"\0"],
        [b"Bearer " + token_of("a").encode()[:-1]],
        [b"Bearer " + token_of("a").encode() + b"a"],
        [b"Bearer " + token_of("a").upper().encode()],
        [b"Bearer " + token_of("a").encode() + b", Bearer " + token_of("a").encode()],
        [b"Bearer op_" + "ä".encode() * 43],
        [b"Bearer op_" + "а".encode() * 43],
        [b"Bearer op_" + b"a" * 60_000],
        [b"Bearer " + token_of("z").encode()],
        [b"Bearer " + token_of("a").encode()] * 2,
        [b"Bearer " + token_of("a").encode(), b"Basic eDp5"],
        [b"\xff\xfe"],
    ],
    ids=lambda sent: repr(sent)[:40],
)
def test_everything_else_is_refused(path: Path, observer: Observer, clock: Clock, authorization: list[bytes]) -> None:
    gate = open_gate(path, observer, clock, table("a", "a"))
    with pytest.raises(Unauthenticated) as caught:
        gate.admit("/embed", authorization)
    assert "aaa" not in caught.value.detail
    assert caught.value.presented is bool(authorization)
    assert not observer.uses


def test_no_bytes_at_all_break_the_gate(path: Path, observer: Observer, clock: Clock) -> None:
    gate, random = open_gate(path, observer, clock, table("a", "a")), Random(1)
    for _ in range(3000):
        sent_bytes = bytearray(sent("a")[0])
        for _ in range(random.randint(1, 4)):
            place = random.randrange(len(sent_bytes))
            sent_bytes[place : place + random.randint(0, 2)] = random.randbytes(random.randint(0, 3))
        if bytes(sent_bytes).lower().split() != sent("a")[0].lower().split():
            with pytest.raises(Unauthenticated):
                gate.admit("/embed", [bytes(sent_bytes)])


@pytest.mark.parametrize("word", [b"Bearer", b"bearer", b"BEARER", b"BeArEr"])
def test_the_scheme_is_read_in_any_case(path: Path, observer: Observer, clock: Clock, word: bytes) -> None:
    gate = open_gate(path, observer, clock, table("a", "a"))
    assert gate.admit("/embed", [word + b"  " + token_of("a").encode()]) is not None


def test_the_wrong_scope_is_forbidden_and_named(path: Path, observer: Observer, clock: Clock) -> None:
    gate = open_gate(path, observer, clock, table("a", "a"))
    with pytest.raises(Forbidden) as caught:
        gate.admit("/ground", sent("a"))
    assert caught.value.scope == "ground"
    assert observer.uses == {("a", "forbidden"): 1}


def test_an_expired_key_is_refused(
    path: Path, observer: Observer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = open_gate(path, observer, clock, table("a", "a", more=PAST), table("b", "b", more="expires = 2100-01-01"))
    with pytest.raises(Unauthenticated, match="expired"):
        gate.admit("/embed", sent("a"))
    gate.admit("/embed", sent("b"))
    monkeypatch.setattr(time, "time", lambda: 4_102_444_800.0)  # 2100-01-01T00:00:00Z
    with pytest.raises(Unauthenticated, match="expired"):
        gate.admit("/embed", sent("b"))


def test_whatever_has_no_rule_needs_a_key(path: Path, observer: Observer, clock: Clock) -> None:
    gate = open_gate(path, observer, clock, table("a", "a"))
    for endpoint in ("/info", "/v1/models", "/nothing", "/embed/", "//embed", "/Embed", "/grpc.health.v1.Health/Else"):
        with pytest.raises(Unauthenticated):
            gate.admit(endpoint, [])
        assert gate.admit(endpoint, sent("a")) is not None


def test_every_endpoint_that_works_on_input_has_a_scope() -> None:
    scoped = {endpoint for endpoints in USE_CASES.values() for endpoint in endpoints}
    posts = {path for method, path in lean_endpoints(ROUTERS) if method == "POST"}
    service = pb.DESCRIPTOR.services_by_name["OnePeaceService"]
    methods = {f"/{service.full_name}/{method.name}" for method in service.methods} - {f"/{service.full_name}/Info"}
    assert posts | methods == scoped


def test_health_metrics_and_documents_are_set_apart(path: Path, observer: Observer, clock: Clock) -> None:
    health, rpc_health = "/health/ready", "/grpc.health.v1.Health/Check"
    reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
    endpoints = (health, rpc_health, "/metrics", "/docs", "/openapi.json", reflection)
    tables = (table("a", "a"), table("m", "m", '["metrics"]'))
    gate = open_gate(path, observer, clock, *tables)
    for endpoint in endpoints:
        assert gate.admit(endpoint, []) is None
        assert gate.admit(endpoint, [b"nonsense"]) is None
    closed = dict.fromkeys(("access_health", "access_metrics", "access_docs"), "key")
    gate = open_gate(path, observer, clock, *tables, **closed)
    for endpoint in endpoints:
        with pytest.raises(Unauthenticated):
            gate.admit(endpoint, [])
        assert gate.admit(endpoint, sent("m")) is not None
    with pytest.raises(Forbidden):
        gate.admit("/metrics", sent("a"))


def test_requests_are_counted_for_each_key_apart(path: Path, observer: Observer, clock: Clock) -> None:
    rate = "requests = { per_second = 0.25, burst = 2 }"
    gate = open_gate(path, observer, clock, table("a", "a", more=rate), table("b", "b", more=rate))
    gate.admit("/embed", sent("a"))
    gate.admit("/info", sent("a"))
    with pytest.raises(RateLimited) as caught:
        gate.admit("/embed", sent("a"))
    assert (caught.value.retry_after_s, caught.value.wait_s, caught.value.limit) == (4, 4.0, 0.25)
    gate.admit("/embed", sent("b"))
    clock.now_s += 4.0
    gate.admit("/embed", sent("a"))
    assert observer.uses == {("a", "accepted"): 3, ("a", "rate_limited"): 1, ("b", "accepted"): 1}


def test_refused_requests_cost_the_key_nothing(path: Path, observer: Observer, clock: Clock) -> None:
    gate = open_gate(path, observer, clock, table("a", "a", more="requests = { per_second = 1, burst = 1 }"))
    for _ in range(5):
        with pytest.raises(Forbidden):
            gate.admit("/ground", sent("a"))
    gate.admit("/embed", sent("a"))


def test_items_are_charged_when_they_are_known(path: Path, observer: Observer, clock: Clock) -> None:
    gate = open_gate(path, observer, clock, table("a", "a", more="items = { per_second = 10, burst = 20 }"))
    caller = gate.admit("/embed", sent("a"))
    assert caller is not None
    caller.charge_items(15)
    with pytest.raises(RateLimited) as caught:
        caller.charge_items(15)
    assert caught.value.wait_s == pytest.approx(1.0)
    caller.charge_items(5)
    assert observer.uses == {("a", "accepted"): 1}  # a request is counted once, whatever becomes of its items
    assert observer.items == {"accepted": 20, "rate_limited": 15}


def test_what_a_request_turns_out_to_hold_is_charged_once_and_refuses_it_no_more(
    path: Path, observer: Observer, clock: Clock
) -> None:
    """A clip of 60 windows, at a burst of 10."""
    gate = open_gate(path, observer, clock, table("a", "a", more="items = { per_second = 10, burst = 10 }"))
    context = RequestContext("a", {}, 0.0, caller=gate.admit("/embed", sent("a")))
    for items in (1, 60, 60, 1):
        context.charge_up_to(items)
    assert context.charged_items == 60
    another = RequestContext("b", {}, 0.0, caller=gate.admit("/embed", sent("a")))
    with pytest.raises(RateLimited) as caught:
        another.charge_up_to(1)
    assert caught.value.wait_s == pytest.approx(5.1)  # 50 of debt and itself
    another.charge_up_to(0)


def test_a_new_file_changes_keys_at_once_also_for_calls_under_way(path: Path, observer: Observer, clock: Clock) -> None:
    gate = open_gate(path, observer, clock, table("a", "a"), table("b", "b"))
    caller = gate.admit("/embed", sent("a"))
    assert caller is not None
    write_keys(path, table("b", "b"), table("c", "c"))
    assert gate.load() == "b, c"
    for letter, known in (("a", False), ("b", True), ("c", True)):
        if known:
            gate.admit("/embed", sent(letter))
        else:
            with pytest.raises(Unauthenticated):
                gate.admit("/embed", sent(letter))
    with pytest.raises(Unauthenticated):
        caller.charge_items(1)


@pytest.mark.parametrize("content", [None, "", "[keys.a", "[keys.a]\nsha256 = 3"])
def test_a_service_without_a_good_file_does_not_start(path: Path, observer: Observer, content: str | None) -> None:
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match=r"^ONEPEACE_API_KEYS_FILE \(--api-keys-file\): "):
        build_gate(Settings(api_keys_file=path), observer)
    assert build_gate(Settings(), observer) is None


def test_a_broken_file_keeps_the_keys(path: Path, observer: Observer, clock: Clock) -> None:
    gate = open_gate(path, observer, clock, table("a", "a"))
    for broken in ("", "[keys.b", table("b", "b", '["fly"]')):
        path.write_text(broken)
        with pytest.raises(KeyFileError):
            gate.load()
        gate.admit("/embed", sent("a"))
    path.unlink()
    with pytest.raises(KeyFileError):
        gate.load()
    gate.admit("/embed", sent("a"))
    with pytest.raises(Unauthenticated):
        gate.admit("/embed", sent("b"))


def test_touching_the_file_fills_no_bucket_and_a_new_rate_counts_at_once(
    path: Path, observer: Observer, clock: Clock
) -> None:
    slow = "requests = { per_second = 0.1, burst = 1 }"
    gate = open_gate(path, observer, clock, table("a", "a", more=slow))
    gate.admit("/embed", sent("a"))
    write_keys(path, table("a", "a", '["embed", "ground"]', slow))
    gate.load()
    with pytest.raises(RateLimited):
        gate.admit("/ground", sent("a"))
    write_keys(path, table("a", "a", more="requests = { per_second = 100 }"))
    gate.load()
    gate.admit("/embed", sent("a"))


def test_a_key_is_replaced_with_both_hashes_good_for_a_while(path: Path, observer: Observer, clock: Clock) -> None:
    new, old = (table("a", letter).split('"')[1] for letter in "no")
    both = f'[keys.a]\nsha256 = ["{old}", "{new}"]\nscopes = ["embed"]\nrequests = {{ per_second = 1, burst = 2 }}\n'
    gate = open_gate(path, observer, clock, both)
    gate.admit("/embed", sent("o"))
    gate.admit("/embed", sent("n"))
    with pytest.raises(RateLimited):  # it is one key
        gate.admit("/embed", sent("n"))


def test_unknown_keys_leave_nothing_behind(path: Path, observer: Observer, clock: Clock) -> None:
    gate = open_gate(path, observer, clock, table("a", "a"))

    def try_many(count: int) -> None:
        for _ in range(count):
            try:
                gate.admit("/embed", [b"Bearer " + new_token().encode()])
            except Unauthenticated:
                continue
            raise AssertionError("a random key was let in")
        gc.collect()

    try_many(100)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        try_many(10_000)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 64 * 1024  # a hash of each alone would be 320 kB
    assert not observer.uses


def test_every_look_up_ends_in_one_constant_time_comparison_of_whole_hashes(
    path: Path, observer: Observer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = open_gate(path, observer, clock, *(table(letter, letter) for letter in "abcde"))
    compared: list[tuple[int, int]] = []

    class Watched:
        @staticmethod
        def compare_digest(one: bytes, other: bytes) -> bool:
            compared.append((len(one), len(other)))
            return one == other

    monkeypatch.setattr(ring_module, "hmac", Watched)
    for letter in "aez":
        try:
            gate.admit("/embed", sent(letter))
        except ServiceError:
            assert letter == "z"
    assert compared == [(32, 32)] * 3


def test_the_index_differs_from_process_to_process(path: Path, observer: Observer, clock: Clock) -> None:
    """Else callers could know in which place of the table a look-up ends."""
    one, other = (open_gate(path, observer, clock, table("a", "a"))._ring for _ in range(2))
    assert one._table.keys() != other._table.keys()
