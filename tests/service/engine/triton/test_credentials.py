"""TLS to Triton: its certificate must be for the name in the settings, whatever address that has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import trustme
from tritonclient.grpc import service_pb2_grpc

from service.engine.triton.credentials import read_credentials
from service.engine.triton.engine import TritonEngine
from service.metrics import Metrics
from service.repository import ModelFolder
from service.settings import Settings, SettingsError, load_settings
from tests.service.engine.triton.asked import rows
from tests.service.engine.triton.conftest import NamesGive
from tests.service.engine.triton.fake_triton import FakeTriton

NAME = "triton.example.org"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def serving(fake: FakeTriton, authority: trustme.CA, name: str, clients: trustme.CA | None) -> AsyncIterator[int]:
    issued = authority.issue_cert(name)
    pair = (issued.private_key_pem.bytes(), b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    roots = clients.cert_pem.bytes() if clients else None
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(fake, server)
    credentials = grpc.ssl_server_credentials([pair], roots, clients is not None)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


def settings(tmp_path: Path, port: int, authority: trustme.CA, shown: trustme.LeafCert | None = None) -> Settings:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    given: dict[str, object] = {"triton_tls_ca_file": tmp_path / "ca.pem"}
    if shown is not None:
        shown.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
        shown.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
        given |= {"triton_tls_cert_file": tmp_path / "cert.pem", "triton_tls_key_file": tmp_path / "key.pem"}
    return load_settings({"engine": "triton", "triton_url": f"{NAME}:{port}", **given})


async def ready(models: dict[str, ModelFolder], wanted: Settings) -> bool:
    engine = TritonEngine(models, wanted, Metrics())
    await engine.start()
    try:
        if engine.ready():
            assert (await engine.infer("text", rows(4, length=8))).shape == (1, 128)
        return engine.ready()
    finally:
        await engine.close()


async def test_the_certificate_must_be_for_the_name_and_of_the_authority(
    models: dict[str, ModelFolder], fake: FakeTriton, names_give: NamesGive, authority: trustme.CA, tmp_path: Path
) -> None:
    cases = ((NAME, authority, True), ("other.example.org", authority, False), (NAME, trustme.CA(), False))
    for name, trusted, expected in cases:
        async with serving(fake, authority, name, None) as port:
            names_give(f"127.0.0.1:{port}")
            assert await ready(models, settings(tmp_path, port, trusted)) is expected


async def test_triton_is_shown_a_certificate_if_it_wants_one(
    models: dict[str, ModelFolder], fake: FakeTriton, names_give: NamesGive, authority: trustme.CA, tmp_path: Path
) -> None:
    clients = trustme.CA()
    async with serving(fake, authority, NAME, clients) as port:
        names_give(f"127.0.0.1:{port}")
        assert await ready(models, settings(tmp_path, port, authority, clients.issue_cert("gateway")))
        assert not await ready(models, settings(tmp_path, port, authority, authority.issue_cert("gateway")))
        assert not await ready(models, settings(tmp_path, port, authority))


def test_bad_files_are_named(authority: trustme.CA, tmp_path: Path) -> None:
    wanted = settings(tmp_path, 1, authority)
    assert read_credentials(wanted) is not None
    (tmp_path / "ca.pem").write_bytes(b"nonsense")
    with pytest.raises(SettingsError, match=r"ONEPEACE_TRITON_TLS_CA_FILE: .*ca\.pem is no PEM file"):
        read_credentials(wanted)
    (tmp_path / "ca.pem").unlink()
    with pytest.raises(SettingsError, match=r"ONEPEACE_TRITON_TLS_CA_FILE: can't read .*ca\.pem"):
        read_credentials(wanted)
    assert read_credentials(Settings()) is None


def test_certificate_key_and_authority_go_together(tmp_path: Path) -> None:
    for given in ({"triton_tls_cert_file": tmp_path}, {"triton_tls_key_file": tmp_path}):
        with pytest.raises(SettingsError, match="belong together"):
            load_settings(dict(given))
    with pytest.raises(SettingsError, match="needs triton_tls_ca_file"):
        load_settings({"triton_tls_cert_file": tmp_path, "triton_tls_key_file": tmp_path})
