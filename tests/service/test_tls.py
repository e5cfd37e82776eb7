"""TLS of HTTP and gRPC, with certificates of an authority that the test makes; against real servers."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import grpc
import httpx
import pytest
import trustme
from grpc_health.v1 import health_pb2

from service.settings import Settings, SettingsError
from service.tls import ServerTls, TlsError, build_tls
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.waiting import until

QUICK = "import service.access.reloading as r; r.LOOK_EVERY_S = 0.05"
NAME = "gateway.example.org"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def visitors() -> trustme.CA:
    """The authority of client certificates."""
    return trustme.CA()


@pytest.fixture(scope="module")
def secure(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    files = write_pair(tmp_path_factory.mktemp("tls"), authority)
    with live_server(REPOSITORY, wait=False, **files) as server:
        until(lambda: https(server, authority, "/health/ready") == 200)
        yield server


@pytest.fixture(scope="module")
def mutual(
    authority: trustme.CA, visitors: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("mutual")
    visitors.cert_pem.write_to_path(str(folder / "clients.pem"))
    files = write_pair(folder, authority) | {"tls_client_ca_file": folder / "clients.pem"}
    with live_server(REPOSITORY, wait=False, **files) as server:
        until(lambda: https(server, authority, "/health/ready", visitors.issue_cert("me")) == 200)
        yield server


def write_pair(folder: Path, authority: trustme.CA, not_after: datetime | None = None) -> dict[str, Path]:
    """A certificate for the server's names, put in the place of an earlier one."""
    issued = authority.issue_cert("127.0.0.1", NAME, not_after=not_after)
    parts = {"cert": b"".join(blob.bytes() for blob in issued.cert_chain_pems), "key": issued.private_key_pem.bytes()}
    for name, content in parts.items():
        (folder / f"{name}.new").write_bytes(content)
    for name in parts:
        os.replace(folder / f"{name}.new", folder / f"{name}.pem")
    return {"tls_cert_file": folder / "cert.pem", "tls_key_file": folder / "key.pem"}


def trusting(authority: trustme.CA, shown: trustme.LeafCert | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if shown is not None:
        shown.configure_cert(context)
    return context


def https(server: LiveServer, authority: trustme.CA, path: str, shown: trustme.LeafCert | None = None) -> int:
    url = f"https://127.0.0.1:{server.port}{path}"
    try:
        return httpx.get(url, verify=trusting(authority, shown), timeout=20).status_code
    except httpx.TransportError:
        return 0


def rpc_health(server: LiveServer, authority: trustme.CA, shown: trustme.LeafCert | None = None) -> grpc.StatusCode:
    key = shown.private_key_pem.bytes() if shown else None
    chain = b"".join(blob.bytes() for blob in shown.cert_chain_pems) if shown else None
    credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes(), key, chain)
    with grpc.secure_channel(server.grpc_address, credentials) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            check(health_pb2.HealthCheckRequest(), timeout=10)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def serial(server: LiveServer, port: int, authority: trustme.CA) -> int:
    """Of the certificate that the server shows."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        trusting(authority).wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
    ):
        shown = wrapped.getpeercert()
        assert shown is not None
        return int(str(shown["serialNumber"]), 16)


def test_both_wires_are_encrypted(secure: LiveServer, authority: trustme.CA) -> None:
    url = f"https://127.0.0.1:{secure.port}/embed"
    answer = httpx.post(url, json={"inputs": [{"text": "a cow"}]}, verify=trusting(authority), timeout=20)
    assert answer.status_code == 200
    assert rpc_health(secure, authority) is grpc.StatusCode.OK


def test_plain_callers_and_those_who_trust_another_authority_get_nothing(
    secure: LiveServer, visitors: trustme.CA
) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(secure.url + "/health/live")
    with grpc.insecure_channel(secure.grpc_address) as channel:
        call = channel.unary_unary("/grpc.health.v1.Health/Check")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert https(secure, visitors, "/health/live") == 0
    assert rpc_health(secure, visitors) is grpc.StatusCode.UNAVAILABLE


def test_strangers_write_nothing_past_the_log_and_its_format(secure: LiveServer, authority: trustme.CA) -> None:
    """gRPC's core has a line for each of these."""
    with socket.create_connection(("127.0.0.1", secure.grpc_port), timeout=20) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(50))
        plain.recv(100)
    credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    with grpc.secure_channel(secure.grpc_address, credentials) as channel:
        call = channel.unary_unary("/onepeace.v1.OnePeaceService/Embed")
        with pytest.raises(grpc.RpcError) as caught:
            call(bytes(1000), timeout=20, compression=grpc.Compression.Gzip)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert https(secure, authority, "/after-the-strangers") == 404
    until(lambda: '"status":404' in secure.log())
    words = [line for line in secure.log().splitlines() if not line.startswith("{")]
    assert [line for line in words if not line.startswith(("Ready on ", "  "))] == []
    assert all(json.loads(line) for line in secure.log().splitlines() if line not in words)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("version", "accepted"),
    [("TLSv1", False), ("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)],
)
def test_tls_begins_with_1_2(secure: LiveServer, authority: trustme.CA, version: str, accepted: bool) -> None:
    for port, protocol in ((secure.port, "http/1.1"), (secure.grpc_port, "h2")):
        context = trusting(authority)
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
        context.set_ciphers("ALL:@SECLEVEL=0")  # else OpenSSL itself would not offer the old ones
        context.set_alpn_protocols([protocol])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            if accepted:
                with context.wrap_socket(plain, server_hostname=NAME) as wrapped:
                    assert wrapped.selected_alpn_protocol() == protocol
            else:
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    context.wrap_socket(plain, server_hostname=NAME)


def test_callers_must_show_a_certificate_of_the_right_authority(
    mutual: LiveServer, authority: trustme.CA, visitors: trustme.CA
) -> None:
    good, bad = visitors.issue_cert("me"), authority.issue_cert("me")
    assert https(mutual, authority, "/health/live", good) == 200
    assert rpc_health(mutual, authority, good) is grpc.StatusCode.OK
    for shown in (None, bad):
        assert https(mutual, authority, "/health/live", shown) == 0
        assert rpc_health(mutual, authority, shown) is grpc.StatusCode.UNAVAILABLE


def test_a_certificate_is_renewed_without_a_restart(authority: trustme.CA, tmp_path: Path) -> None:
    files = write_pair(tmp_path, authority)
    with live_server(REPOSITORY, before=QUICK, wait=False, **files) as server:
        until(lambda: https(server, authority, "/health/ready") == 200)
        ports = (server.port, server.grpc_port)
        first = {port: rpc_serial(server, port, authority) for port in ports}
        assert len(set(first.values())) == 1

        with httpx.Client(verify=trusting(authority)) as kept:  # a connection that is open stays as it is
            url = f"https://127.0.0.1:{server.port}/health/live"
            assert kept.get(url).status_code == 200
            write_pair(tmp_path, authority)
            until(lambda: all(rpc_serial(server, port, authority) != first[port] for port in ports))
            assert kept.get(url).status_code == 200
        second = {port: rpc_serial(server, port, authority) for port in ports}

        (tmp_path / "key.pem").write_bytes(authority.issue_cert("else").private_key_pem.bytes())
        server.process.send_signal(signal.SIGHUP)
        until(lambda: 'outcome="failed",what="certificates"' in metrics(server, authority))
        assert {port: rpc_serial(server, port, authority) for port in ports} == second
        assert rpc_health(server, authority) is grpc.StatusCode.OK


def rpc_serial(server: LiveServer, port: int, authority: trustme.CA) -> int:
    """As `serial`; gRPC wants HTTP/2 to be chosen."""
    context = trusting(authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
    ):
        shown = wrapped.getpeercert()
        assert shown is not None
        return int(str(shown["serialNumber"]), 16)


def metrics(server: LiveServer, authority: trustme.CA) -> str:
    return httpx.get(f"https://127.0.0.1:{server.port}/metrics", verify=trusting(authority)).text


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("wire", ["http", "grpc"])
def test_a_withdrawn_authority_of_clients_counts_at_once(
    authority: trustme.CA, visitors: trustme.CA, tmp_path: Path, wire: str, version: str
) -> None:
    """Not even a client that kept its session gets in again."""
    path, others = tmp_path / "clients.pem", trustme.CA()
    visitors.cert_pem.write_to_path(str(path))
    files = write_pair(tmp_path, authority) | {"tls_client_ca_file": path}
    me, other = visitors.issue_cert("me"), others.issue_cert("other")
    with live_server(REPOSITORY, before=QUICK, wait=False, **files) as server:
        until(lambda: https(server, authority, "/health/ready", me) == 200)
        context = trusting(authority, me)
        context.maximum_version = ssl.TLSVersion[version]
        if (wire, version) == ("http", "TLSv1_2"):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                greet(server, wire, context, None)
            return
        session = greet(server, wire, context, None)
        greet(server, wire, context, session)
        others.cert_pem.write_to_path(str(path))
        until(lambda: https(server, authority, "/health/live", other) == 200)
        until(lambda: rpc_health(server, authority, other) is grpc.StatusCode.OK)
        assert https(server, authority, "/health/live", me) == 0
        assert rpc_health(server, authority, me) is grpc.StatusCode.UNAVAILABLE
        with pytest.raises((ssl.SSLError, ConnectionError)):
            greet(server, wire, context, session)


GREETINGS = {
    "http": b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "grpc": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0",
}


def greet(
    server: LiveServer, wire: str, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> ssl.SSLSession | None:
    """Open a connection that the server answers on; its session.

    Raises:
        ssl.SSLError, ConnectionError: it does not.
    """
    context.set_alpn_protocols(["h2" if wire == "grpc" else "http/1.1"])
    port = server.grpc_port if wire == "grpc" else server.port
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=NAME, session=session) as wrapped,
    ):
        wrapped.sendall(GREETINGS[wire])
        if not wrapped.recv(100):
            raise ConnectionError("closed")
        return wrapped.session


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cert.pem", None, r"cert\.pem: can't be read: No such file"),
        ("cert.pem", b"nonsense", r"cert\.pem: holds no certificate in PEM"),
        ("cert.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", r"cert\.pem.*OpenSSL can't use"),
        ("cert.pem", bytes(5 << 20), r"cert\.pem: can't be read: more than"),
        ("key.pem", None, r"key\.pem: can't be read"),
        ("key.pem", b"nonsense", r"key\.pem: holds no private key in PEM"),
        ("key.pem", trustme.CA().private_key_pem.bytes(), "KEY_VALUES_MISMATCH"),
        ("clients.pem", b"", r"clients\.pem: holds no certificate"),
    ],
)
def test_bad_files_are_named(
    authority: trustme.CA, tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    files = write_pair(tmp_path, authority)
    authority.cert_pem.write_to_path(str(tmp_path / "clients.pem"))
    paths = (files["tls_cert_file"], files["tls_key_file"], tmp_path / "clients.pem")
    ServerTls(*paths)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TlsError, match=words):
        ServerTls(*paths)
    with pytest.raises(SettingsError, match=words) as caught:
        build_tls(Settings(**files, tls_client_ca_file=paths[2]))
    assert ("ONEPEACE_TLS_CLIENT_CA_FILE (--tls-client-ca-file): " in str(caught.value)) == (name == "clients.pem")
    assert ("ONEPEACE_TLS_CERT_FILE" in str(caught.value)) == (name == "cert.pem" or "MISMATCH" in words)


def test_a_pipe_is_refused_and_nobody_waits_for_it(authority: trustme.CA, tmp_path: Path) -> None:
    files = write_pair(tmp_path, authority)
    files["tls_key_file"].unlink()
    os.mkfifo(files["tls_key_file"])
    with pytest.raises(TlsError, match=r"key\.pem: can't be read: not a regular file"):
        ServerTls(files["tls_cert_file"], files["tls_key_file"], None)


def test_an_expired_certificate_is_told_of_with_its_date(
    authority: trustme.CA, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    end = datetime(2021, 3, 4, 5, 6, tzinfo=UTC)
    files = write_pair(tmp_path, authority, not_after=end)
    tls = ServerTls(files["tls_cert_file"], files["tls_key_file"], None)
    assert tls.expires_s == end.timestamp()
    assert "cert.pem: the certificate, or one of its chain, expired on 2021-03-04 05:06 UTC" in caplog.text
    caplog.clear()
    write_pair(tmp_path, authority, not_after=datetime(2070, 1, 1, tzinfo=UTC))
    assert "; valid until 2070-01-01 00:00 UTC" in tls.load()
    assert not caplog.text
    assert tls.expires_s == datetime(2070, 1, 1, tzinfo=UTC).timestamp()


def test_the_end_of_the_certificate_is_a_metric(authority: trustme.CA, tmp_path: Path) -> None:
    end = datetime(2070, 1, 1, tzinfo=UTC)
    with live_server(REPOSITORY, wait=False, **write_pair(tmp_path, authority, not_after=end)) as server:
        until(lambda: https(server, authority, "/health/live") == 200)
        (found,) = (
            line for line in metrics(server, authority).splitlines() if line.startswith("onepeace_certificate_expiry")
        )
        assert float(found.split()[1]) == end.timestamp()


def test_a_key_behind_a_password_is_refused_and_nobody_is_asked(authority: trustme.CA, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    files = write_pair(tmp_path, authority)
    key = serialization.load_pem_private_key(files["tls_key_file"].read_bytes(), None)
    files["tls_key_file"].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(TlsError, match="must not be protected by a password"):
        ServerTls(files["tls_cert_file"], files["tls_key_file"], None)
