"""Which web pages may call, and how the pages of this service fence themselves in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.settings import SettingsError, load_settings
from tests.repository import REPOSITORY
from tests.service.access.known_keys import bearer, table, write_keys
from tests.service.live_server import LiveServer, live_server

PAGE = "https://app.example.org"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
BODY = {"inputs": [{"text": "a cow"}]}


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    path = write_keys(tmp_path_factory.mktemp("keys") / "keys.toml", table("a", "a"))
    origins = f"{PAGE}, http://localhost:3000"
    with live_server(REPOSITORY, api_keys_file=path, cors_origins=origins) as running:
        yield running


def allowed(answer: httpx.Response) -> str | None:
    assert "access-control-allow-credentials" not in answer.headers
    return answer.headers.get("access-control-allow-origin")


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
def test_pages_of_named_origins_may_call_and_read_errors(crossed: LiveServer, origin: str) -> None:
    asked = httpx.options(crossed.url + "/embed", headers={"origin": origin, **PREFLIGHT})
    assert (asked.status_code, allowed(asked)) == (200, origin)
    assert "authorization" in asked.headers["access-control-allow-headers"]
    answer = httpx.post(crossed.url + "/embed", json=BODY, headers={"origin": origin, **bearer("a")})
    assert (answer.status_code, allowed(answer)) == (200, origin)
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"]
    refused = httpx.post(crossed.url + "/embed", json=BODY, headers={"origin": origin})
    assert (refused.status_code, allowed(refused)) == (401, origin)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        PAGE + ".evil.example",
        PAGE + ":8443",
        "http://app.example.org",
        "null",
        PAGE.upper(),
        "*",
    ],
)
def test_pages_of_other_origins_may_not(crossed: LiveServer, origin: str) -> None:
    asked = httpx.options(crossed.url + "/embed", headers={"origin": origin, **PREFLIGHT})
    assert (asked.status_code, allowed(asked)) == (400, None)
    answer = httpx.post(crossed.url + "/embed", json=BODY, headers={"origin": origin, **bearer("a")})
    assert allowed(answer) is None


def test_preflights_and_heads_that_cannot_be_read_are_answered_and_counted(crossed: LiveServer) -> None:
    def count(status: int) -> float:
        wanted = f'onepeace_requests_total{{endpoint="other",status="{status}"}}'
        lines = httpx.get(crossed.url + "/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(wanted))

    asked, bad = count(200), count(400)
    httpx.options(crossed.url + "/embed", headers={"origin": PAGE, **PREFLIGHT})
    answer = crossed.raw(b"GARBAGE\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"malformed_request"' in answer
    assert (count(200), count(400)) == (asked + 1, bad + 1)


def test_a_page_may_read_that_its_request_came_too_slowly() -> None:
    with live_server(REPOSITORY, cors_origins=PAGE, read_timeout_ms=100) as server:
        sent = f"Origin: {PAGE}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
        answer = server.raw(b"POST /embed HTTP/1.1\r\nHost: x\r\n" + sent.encode())
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert f"access-control-allow-origin: {PAGE}".encode() in answer


def test_methods_and_headers_that_nobody_needs_are_not_offered(crossed: LiveServer) -> None:
    for wanted in ({"access-control-request-method": "DELETE"}, {"access-control-request-headers": "x-anything"}):
        asked = httpx.options(crossed.url + "/embed", headers={"origin": PAGE, **PREFLIGHT, **wanted})
        assert asked.status_code == 400


def test_without_the_setting_no_page_may_call(default_server: LiveServer) -> None:
    answer = httpx.post(default_server.url + "/embed", json=BODY, headers={"origin": PAGE})
    assert (answer.status_code, allowed(answer)) == (200, None)
    asked = httpx.options(default_server.url + "/embed", headers={"origin": PAGE, **PREFLIGHT})
    assert (asked.status_code, allowed(asked)) == (405, None)


@pytest.mark.parametrize(
    "origins",
    [
        "app.example.org",
        PAGE + "/",
        PAGE + "/page",
        "https://*.example.org",
        "null",
        f"*,{PAGE}",
        "https://App.example.org",
    ],
)
def test_what_is_no_exact_origin_is_refused_at_the_start(origins: str) -> None:
    with pytest.raises(SettingsError, match="ONEPEACE_CORS_ORIGINS"):
        load_settings({"cors_origins": origins})


def test_every_origin_can_be_named_but_not_beside_client_certificates(tmp_path: Path) -> None:
    assert load_settings({"cors_origins": "*"}).origins() == ("*",)
    tls = {name: tmp_path / name for name in ("tls_cert_file", "tls_key_file", "tls_client_ca_file")}
    with pytest.raises(SettingsError, match="client certificates"):
        load_settings({"cors_origins": "*", **tls})


def test_the_page_asks_nobody_but_this_service(default_server: LiveServer) -> None:
    page = httpx.get(default_server.url + "/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "ONE-PEACE" in page.text
    assert "//" not in page.text.replace("<!doctype", "")
    assert re.search(r"<script>|<style| on[a-z]+=", page.text) is None  # the policy would not let it run
    for name in re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text):
        part = httpx.get(f"{default_server.url}/{name}")
        assert part.status_code == 200
        assert part.headers["content-type"].startswith(("text/javascript", "text/css"))
        assert part.headers["x-content-type-options"] == "nosniff"
    script = httpx.get(default_server.url + "/docs/page.js").text
    assert 'url: "openapi.json"' in script


def test_the_page_is_fenced_in(default_server: LiveServer) -> None:
    headers = httpx.get(default_server.url + "/docs").headers
    policy = {part.split()[0]: part.split()[1:] for part in headers["content-security-policy"].split(";")}
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["connect-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
