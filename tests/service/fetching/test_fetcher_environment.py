"""What the environment may say to the fetcher: an authority, and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from service.fetching.fetcher import Fetcher, trusting_tls
from service.fetching.policy import Allowlist
from tests.service.fetching.site import HOST, LIMITS, Site, answer, running_site
from tests.service.fetching.test_fetcher import URL


async def test_proxies_and_credentials_of_the_environment_are_ignored(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site.pages["/cow.jpg"] = answer(b"moo")
    visits = []

    async def trap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(True)
        writer.close()

    server = await asyncio.start_server(trap, "127.0.0.1", 0)
    proxy = f"http://user:pass@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with server:
        assert await site.fetcher().fetch(URL) == b"moo"
    assert visits == []
    assert "authorization" not in site.requests[0].lower()


async def test_the_keys_of_a_connection_are_never_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    async with running_site() as site:
        site.pages["/cow.jpg"] = answer(b"moo")
        assert await site.fetcher().fetch(URL) == b"moo"
    assert not (tmp_path / "keys").exists()


async def test_an_operators_own_authority_is_trusted(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages["/cow.jpg"] = answer(b"moo")
    site.authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    fetcher = Fetcher(Allowlist.parse(HOST), LIMITS, resolver=site.resolver, dialler=site.dialler, tls=trusting_tls())
    assert await fetcher.fetch(URL) == b"moo"
