"""Keys over HTTP, to a real server over real sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from service.access.tokens import new_token
from tests.repository import REPOSITORY
from tests.service.access.known_keys import bearer, table, token_of, write_keys
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import clip, encoded
from tests.service.waiting import until

BODY = {"inputs": [{"text": "a cow"}]}
PROBLEM, JSON = "application/problem+json", "application/json"
POST = b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
QUICK = "import service.access.reloading as r; r.LOOK_EVERY_S = 0.05"
KEYS = (
    table("all", "a", '["embed", "similarity", "classify", "metrics"]'),
    table("ground", "g", '["ground"]'),
    table("old", "o", more="expires = 2020-01-01"),
    table("slow", "s", more="requests = { per_second = 0.01, burst = 2 }"),
    table("few", "f", '["embed", "classify"]', "items = { per_second = 0.01, burst = 3 }"),
    table("labels", "l", '["classify"]', "items = { per_second = 0.01, burst = 3 }"),
    table("windows", "w", more="items = { per_second = 0.01, burst = 3 }"),
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    path = write_keys(tmp_path_factory.mktemp("keys") / "keys.toml", *KEYS)
    with live_server(REPOSITORY, api_keys_file=path, access_metrics="key") as running:
        yield running


def ask(server: LiveServer, letter: str | None, path: str = "/embed", body: object = BODY) -> httpx.Response:
    return httpx.post(server.url + path, json=body, headers=bearer(letter) if letter else {}, timeout=30)


def test_a_key_opens_what_its_scopes_name(guarded: LiveServer) -> None:
    assert ask(guarded, "a").status_code == 200
    assert httpx.get(guarded.url + "/info", headers=bearer("g")).json()["model"] == "one-peace"
    refused = ask(guarded, "g")
    assert (refused.status_code, refused.headers["content-type"]) == (403, PROBLEM)
    assert refused.json()["code"] == "forbidden"
    assert refused.headers["www-authenticate"] == ('Bearer realm="onepeace", error="insufficient_scope", scope="embed"')


def test_without_a_key_it_is_401_with_a_challenge(guarded: LiveServer) -> None:
    refused = ask(guarded, None)
    assert (refused.status_code, refused.headers["content-type"]) == (401, PROBLEM)
    body = refused.json()
    assert (body["code"], body["instance"]) == ("unauthenticated", "/embed")
    assert body["request_id"] == refused.headers["x-request-id"]
    assert refused.headers["www-authenticate"] == 'Bearer realm="onepeace"'
    unknown = ask(guarded, "x")
    assert unknown.headers["www-authenticate"] == 'Bearer realm="onepeace", error="invalid_token"'
    assert "has expired" in ask(guarded, "o").json()["detail"]


@pytest.mark.parametrize("path", ["/info", "/v1/models", "/v1/models/one-peace", "/nothing", "/embed/", "/EMBED"])
def test_every_path_needs_a_key_also_those_that_are_none(guarded: LiveServer, path: str) -> None:
    for method in ("GET", "POST", "PUT", "HEAD", "OPTIONS"):
        assert httpx.request(method, guarded.url + path).status_code == 401
    assert httpx.get(guarded.url + path, headers=bearer("g")).status_code in (200, 404, 405)


def test_health_and_documents_are_open_and_metrics_need_their_scope(guarded: LiveServer) -> None:
    for path in ("/health/live", "/health/ready", "/docs", "/openapi.json"):
        assert httpx.get(guarded.url + path).status_code == 200
    assert httpx.get(guarded.url + "/metrics").status_code == 401
    assert httpx.get(guarded.url + "/metrics", headers=bearer("g")).status_code == 403
    assert httpx.get(guarded.url + "/metrics", headers=bearer("a")).status_code == 200


def test_errors_have_openais_shape_below_v1(guarded: LiveServer) -> None:
    wrong = openai.OpenAI(base_url=guarded.url + "/v1", api_key="sk-1234", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as caught:
        wrong.embeddings.create(model="one-peace", input="a cow")
    assert caught.value.code == "unauthenticated"
    scoped = openai.OpenAI(base_url=guarded.url + "/v1", api_key=token_of("g"), max_retries=0)
    with pytest.raises(openai.PermissionDeniedError) as denied:
        scoped.embeddings.create(model="one-peace", input="a cow")
    assert denied.value.code == "forbidden"
    right = openai.OpenAI(base_url=guarded.url + "/v1", api_key=token_of("a"), max_retries=0)
    assert len(right.embeddings.create(model="one-peace", input="a cow").data[0].embedding) == 128


def test_a_key_may_ask_so_often_and_is_told_when_to_come_again(guarded: LiveServer) -> None:
    assert [ask(guarded, "s").status_code for _ in range(2)] == [200, 200]
    refused = ask(guarded, "s")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 90 <= int(refused.headers["retry-after"]) <= 100
    assert ask(guarded, "a").status_code == 200
    limited = openai.OpenAI(base_url=guarded.url + "/v1", api_key=token_of("s"), max_retries=0)
    with pytest.raises(openai.RateLimitError) as caught:
        limited.embeddings.create(model="one-peace", input="a cow")
    assert (caught.value.code, caught.value.type) == ("rate_limited", "rate_limit_error")


def test_items_count_whatever_they_are_asked_for(guarded: LiveServer) -> None:
    wrong = {"inputs": [{"text": 1}, {"nothing": 1}]}
    assert ask(guarded, "f", body=wrong).status_code == 422  # what is wrong costs no items
    assert ask(guarded, "f", body={"inputs": [{"text": "a"}, {"text": "b"}]}).status_code == 200
    refused = ask(guarded, "f", body={"inputs": [{"text": "a"}, {"text": "b"}]})
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert "items per second" in refused.json()["detail"]
    assert ask(guarded, "f", body={"inputs": [{"text": "a"}]}).status_code == 200


def test_a_clip_of_more_windows_than_the_burst_passes_and_leaves_a_debt(guarded: LiveServer) -> None:
    body = {"inputs": [{"audio": encoded(clip(7, 20.0))}], "windows": {"seconds": 2}}
    answer = ask(guarded, "w", body=body)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["data"][0]["windows"]) == 10
    refused = ask(guarded, "w")
    assert refused.status_code == 429
    assert 700 <= int(refused.headers["retry-after"]) <= 800  # 7 of debt and itself, at 0.01 per second


def test_labels_that_are_new_cost_as_much_as_other_texts(guarded: LiveServer) -> None:
    def texts() -> float:
        text = httpx.get(guarded.url + "/metrics", headers=bearer("a")).text
        return sum(float(line.split()[-1]) for line in text.splitlines() if 'items_total{modality="text"}' in line)

    body = {"input": {"text": "moo"}, "labels": [f"{place}" for place in range(6)]}
    before = texts()
    assert ask(guarded, "l", "/classify", body).status_code == 200
    assert texts() == before + 7
    refused = ask(guarded, "l", "/classify", body)
    assert refused.status_code == 429
    assert 400 <= int(refused.headers["retry-after"]) <= 500  # burst 3, 7 taken: 4 of debt and itself
    before = texts()
    assert ask(guarded, "a", "/classify", body).status_code == 200
    assert texts() == before + 1  # the labels' vectors are kept


@pytest.mark.parametrize(
    "headers",
    [
        b"Authorization: Bearer %(a)s\r\nAuthorization: Bearer %(a)s\r\n",
        b"Authorization: Bearer %(a)s\r\nauthorization: Bearer %(x)s\r\n",
        b"Authorization: Bearer %(a)s, Bearer %(a)s\r\n",
        b"Authorization: Bearer %(a)s x\r\n",
        b"Authorization: Bearer op_" + b"a" * 50_000 + b"\r\n",
        b"Authorization: Bearer op_" + "é".encode() * 43 + b"\r\n",
        b"Authorization: Bearer op_" + b"\xe9" * 43 + b"\r\n",
        b"Authorization: %(a)s\r\n",
        b"Authorization:\r\n",
        b"Authorisation: Bearer %(a)s\r\n",
        b"X-Api-Key: %(a)s\r\n",
        b"Api-Key: %(a)s\r\n",
        b"Cookie: authorization=Bearer %(a)s; api_key=%(a)s\r\n",
        b"Proxy-Authorization: Bearer %(a)s\r\n",
    ],
    ids=lambda headers: repr(headers[:60]),
)
def test_what_is_not_exactly_one_key_is_refused(guarded: LiveServer, headers: bytes) -> None:
    filled = headers.replace(b"%(a)s", token_of("a").encode()).replace(b"%(x)s", token_of("x").encode())
    answer = guarded.raw(POST + filled + b"Content-Length: 2\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 401 "), answer[:100]
    assert token_of("a").encode() not in answer


@pytest.mark.parametrize("bad", [b"\0", b"\r", b"\n", b"\x01"])
def test_control_characters_never_get_through(guarded: LiveServer, bad: bytes) -> None:
    line = b"Authorization: Bearer " + token_of("a").encode() + bad + b"\r\n"
    answer = guarded.raw(POST + line + b"Content-Length: 2\r\n\r\n{}")
    assert answer[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 401 "), answer[:100]


@pytest.mark.parametrize("space", [b" ", b"\t", b"  \t "])
def test_space_around_a_header_is_none_of_it(guarded: LiveServer, space: bytes) -> None:
    line = b"Authorization:" + space + b"bearer " + token_of("a").encode() + space + b"\r\n"
    answer = guarded.raw(b"GET /info HTTP/1.1\r\nHost: x\r\n" + line + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:100]


@pytest.mark.parametrize("name", ["api_key", "key", "access_token", "authorization", "token"])
def test_a_key_in_the_address_is_not_taken(guarded: LiveServer, name: str) -> None:
    refused = httpx.get(guarded.url + "/info", params={name: token_of("a")})
    assert refused.status_code == 401
    assert token_of("a") not in refused.text


def test_a_trailer_is_no_header(guarded: LiveServer) -> None:
    body = json.dumps(BODY).encode()
    chunk = b"%x\r\n%b\r\n0\r\nAuthorization: Bearer %b\r\n\r\n" % (len(body), body, token_of("a").encode())
    answer = guarded.raw(POST + b"Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n" + chunk)
    assert answer.startswith(b"HTTP/1.1 401 ")


def test_the_answer_comes_before_the_body_is_sent(guarded: LiveServer) -> None:
    for key, status in ((b"", b"401"), (b"Authorization: Bearer " + token_of("g").encode() + b"\r\n", b"403")):
        started = time.monotonic()
        answer = guarded.raw(POST + key + b"Content-Length: 5000000\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert time.monotonic() - started < 2


def test_who_waits_to_be_told_is_told_no(guarded: LiveServer) -> None:
    answer = guarded.raw(POST + b"Expect: 100-continue\r\nContent-Length: 5000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")


def test_a_body_that_is_on_its_way_does_not_hide_the_answer(guarded: LiveServer) -> None:
    """Without reading on for a while, the kernel would reset the connection under the answer."""
    size = 6_000_000
    refused = httpx.post(guarded.url + "/embed", content=b"x" * size, headers={"content-type": JSON}, timeout=30)
    assert refused.status_code == 401
    assert refused.headers["connection"] == "close"


def test_a_body_that_never_ends_is_left(guarded: LiveServer) -> None:
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as connection:
        connection.sendall(POST + b"Content-Length: 1000000000\r\n\r\n{")
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 401 ")


def test_a_pipelined_request_needs_a_key_of_its_own(guarded: LiveServer) -> None:
    first = b"GET /info HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token_of("a").encode() + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as connection:
        connection.sendall(first + b"GET /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    assert received.count(b"HTTP/1.1 200 ") == 1
    assert received.count(b"HTTP/1.1 401 ") == 1


def test_a_thousand_unknown_keys_leave_no_series_behind(guarded: LiveServer) -> None:
    def series() -> int:
        return len(httpx.get(guarded.url + "/metrics", headers=bearer("a")).text.splitlines())

    def try_a_key() -> None:
        line = b"Authorization: Bearer " + new_token().encode() + b"\r\n\r\n"
        assert guarded.raw(b"GET /info HTTP/1.1\r\nHost: x\r\n" + line).startswith(b"HTTP/1.1 401 ")

    try_a_key()
    series()
    before, resident_bytes = series(), guarded.resident_bytes()
    for _ in range(1000):
        try_a_key()
    assert series() == before
    assert guarded.resident_bytes() - resident_bytes < 16 * 1024 * 1024


def test_metrics_know_keys_by_name_alone(guarded: LiveServer) -> None:
    for letter in "axg":
        ask(guarded, letter)
    text = httpx.get(guarded.url + "/metrics", headers=bearer("a")).text
    assert 'onepeace_key_requests_total{key="all",outcome="accepted"}' in text
    assert 'onepeace_key_requests_total{key="ground",outcome="forbidden"}' in text
    assert 'onepeace_key_items_total{key="all",outcome="accepted"}' in text
    assert 'onepeace_errors_total{code="unauthenticated"}' in text
    assert "op_" not in text


def test_the_document_says_what_needs_a_key(guarded: LiveServer, default_server: LiveServer) -> None:
    document = httpx.get(guarded.url + "/openapi.json").json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert document["security"] == [{"key": []}]
    assert document["paths"]["/health/ready"]["get"]["security"] == []
    assert "security" not in document["paths"]["/embed"]["post"]
    assert {"401", "403"} <= document["paths"]["/embed"]["post"]["responses"].keys()
    assert "security" not in httpx.get(default_server.url + "/openapi.json").json()


def test_without_a_key_file_everybody_is_let_in(default_server: LiveServer) -> None:
    assert ask(default_server, None).status_code == 200
    assert ask(default_server, "x").status_code == 200


def test_a_new_file_is_seen_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    path = write_keys(tmp_path / "keys.toml", table("first", "a"))
    with live_server(REPOSITORY, before=QUICK, api_keys_file=path) as server:
        assert [ask(server, letter).status_code for letter in "ab"] == [200, 401]
        write_keys(path, table("first", "a"), table("second", "b"))
        until(lambda: ask(server, "b").status_code == 200)

        write_keys(path, "[keys.third\n")
        until(lambda: reloads(server, "failed") == 1)
        assert [ask(server, letter).status_code for letter in "abc"] == [200, 200, 401]

        path.unlink()
        until(lambda: reloads(server, "failed") == 2)
        assert [ask(server, letter).status_code for letter in "abc"] == [200, 200, 401]

        write_keys(path, table("third", "c"))
        until(lambda: ask(server, "c").status_code == 200)
        assert [ask(server, letter).status_code for letter in "ab"] == [401, 401]


def reloads(server: LiveServer, outcome: str) -> float:
    wanted = f'onepeace_reloads_total{{outcome="{outcome}",what="keys"}}'
    for line in httpx.get(server.url + "/metrics").text.splitlines():
        if line.startswith(wanted):
            return float(line.split()[-1])
    return 0.0


def test_a_link_that_is_turned_over_is_seen(tmp_path: Path) -> None:
    """As Kubernetes replaces the files of a mounted Secret: keys.toml → ..data/keys.toml, ..data → a folder."""
    for folder, letter in (("v1", "a"), ("v2", "b")):
        (tmp_path / folder).mkdir()
        write_keys(tmp_path / folder / "keys.toml", table("only", letter))
        os.utime(tmp_path / folder / "keys.toml", ns=(0, 0))  # not even the time differs
    data, path = tmp_path / "..data", tmp_path / "keys.toml"
    data.symlink_to("v1")
    path.symlink_to("..data/keys.toml")
    with live_server(REPOSITORY, before=QUICK, api_keys_file=path) as server:
        assert [ask(server, letter).status_code for letter in "ab"] == [200, 401]
        (tmp_path / "..new").symlink_to("v2")
        (tmp_path / "..new").rename(data)
        until(lambda: ask(server, "b").status_code == 200)
        assert ask(server, "a").status_code == 401


def test_sighup_reads_the_file_at_once(tmp_path: Path) -> None:
    path = write_keys(tmp_path / "keys.toml", table("first", "a"))
    never = "import service.access.reloading as r; r.LOOK_EVERY_S = 3600"
    with live_server(REPOSITORY, before=never, api_keys_file=path) as server:
        write_keys(path, table("second", "b"))
        assert ask(server, "b").status_code == 401
        server.process.send_signal(signal.SIGHUP)
        until(lambda: ask(server, "b").status_code == 200)


def test_requests_during_many_changes_are_all_answered_rightly(tmp_path: Path) -> None:
    """One key stands in every version of the file, another in none."""
    path = write_keys(tmp_path / "keys.toml", table("stays", "a"))
    quick = "import service.access.reloading as r; r.LOOK_EVERY_S = 0.001"
    with (
        live_server(REPOSITORY, before=quick, api_keys_file=path) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        for turn in range(300):
            others = (table(f"k{turn}-{place}", chr(66 + place)) for place in range(turn % 9))
            write_keys(path, table("stays", "a"), *others)
            assert client.get("/info", headers=bearer("a")).status_code == 200
            assert client.get("/info", headers=bearer("z")).status_code == 401
        assert reloads(server, "failed") == 0
        assert reloads(server, "ok") > 10


def test_a_start_without_the_file_fails(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match=r"(?s)ended with code 2.*ONEPEACE_API_KEYS_FILE.*can't read"),
        live_server(REPOSITORY, api_keys_file=tmp_path / "keys.toml"),
    ):
        pass


def test_keys_are_in_no_log(tmp_path: Path) -> None:
    path = write_keys(tmp_path / "keys.toml", table("first", "a"))
    log = f"import sys; sys.stderr = open({str(tmp_path / 'log')!r}, 'w')"
    with live_server(REPOSITORY, before=log, api_keys_file=path, log_level="debug") as server:
        for letter in "ab":
            ask(server, letter)
            httpx.get(server.url + "/info", params={"api_key": token_of(letter)})
        server.terminate()
        server.process.wait(30)
    written = (tmp_path / "log").read_text()
    assert '"endpoint":"/embed","status":401' in written
    assert "op_" not in written
