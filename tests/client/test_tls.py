"""The client over TLS, with an authority of the test's own, at a real service that wants to see a certificate."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme

from onepeace_client import AsyncClient, Client, OnePeaceError, Options, RetryPolicy, Tls, Unreachable
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server

ONCE = RetryPolicy(attempts=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PEM files: `ca` of all certificates, `server` and `me` with their keys."""
    place, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    authority.cert_pem.write_to_path(str(place / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(place / "other_ca.pem"))
    for name, issued in (("server", authority.issue_cert("127.0.0.1")), ("me", authority.issue_cert("me"))):
        issued.cert_chain_pems[0].write_to_path(str(place / f"{name}.pem"))
        issued.private_key_pem.write_to_path(str(place / f"{name}.key"))
    return place


@pytest.fixture(scope="module")
def secure(folder: Path) -> Iterator[LiveServer]:
    files = {"tls_cert_file": folder / "server.pem", "tls_key_file": folder / "server.key"}
    with live_server(REPOSITORY, wait=False, tls_client_ca_file=folder / "ca.pem", **files) as server:
        context = whole(folder).context()
        end = time.monotonic() + 60
        while not is_ready(server, context):
            assert time.monotonic() < end
            time.sleep(0.05)
        yield server


def is_ready(server: LiveServer, context: ssl.SSLContext) -> bool:
    try:
        return httpx.get(f"https://127.0.0.1:{server.port}/health/ready", verify=context).status_code == 200
    except httpx.TransportError:
        return False


def whole(folder: Path) -> Tls:
    return Tls(folder / "ca.pem", folder / "me.pem", folder / "me.key")


@pytest.fixture(params=["https", "grpcs"])
def url(request: pytest.FixtureRequest, secure: LiveServer) -> str:
    return f"{request.param}://127.0.0.1:{secure.port if request.param == 'https' else secure.grpc_port}"


async def test_a_certificate_is_checked_and_one_is_shown(url: str, folder: Path) -> None:
    options = Options(tls=whole(folder), retries=ONCE)
    with Client(url, options) as client:
        assert client.embed(["a cow"]).vectors.shape == (1, 128)
    async with AsyncClient(url, options) as client:
        assert (await client.embed(["a cow"])).vectors.shape == (1, 128)


@pytest.mark.parametrize("tls", ["none", "own authority", "no certificate", "other authority"])
def test_anything_less_gets_no_connection(url: str, folder: Path, tls: str) -> None:
    me = (folder / "me.pem", folder / "me.key")
    given = {
        "none": None,
        "own authority": Tls(None, *me),
        "no certificate": Tls(folder / "ca.pem"),
        "other authority": Tls(folder / "other_ca.pem", *me),
    }[tls]
    with Client(url, Options(tls=given, retries=ONCE, timeout_s=10)) as client, pytest.raises(OnePeaceError) as caught:
        client.info()
    assert isinstance(caught.value, Unreachable)


def test_certificate_and_key_go_together_and_files_must_be_there(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="belong together"):
        Tls(cert_file="a.pem")
    with pytest.raises(FileNotFoundError):
        Client(url, Options(tls=Tls(ca_file=tmp_path / "nowhere.pem")))
