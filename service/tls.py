"""The server's certificate, for HTTP and gRPC alike; both take up a new one for connections that come after it."""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc

from service.settings import ENV_PREFIX, Settings, SettingsError

MIN_VERSION = ssl.TLSVersion.TLSv1_2
"""gRPC's own minimum is the same."""


class TlsError(Exception):
    """Certificate files can't be used; the message names them and nothing of their content."""


class ServerTls:
    """A certificate, its key and, where callers must show certificates, their authorities.

    Raises (on creation):
        TlsError: see `load`.
    """

    name = "certificates"

    def __init__(self, cert: Path, key: Path, client_ca: Path | None) -> None:
        self._cert, self._key, self._client_ca = cert, key, client_ca
        self.paths: tuple[Path, ...] = (cert, key) if client_ca is None else (cert, key, client_ca)
        self.load()

    def load(self) -> str:
        """Read the files anew: which, in words.

        Raises:
            TlsError: one can't be read, they don't belong together, or they are being changed just now; what was
                there before stays.
        """
        content = self._contents()
        context = self._context()
        if self._contents() != content:
            raise TlsError("the files were being changed while they were read")
        pair = (content[1], content[0])
        roots = content[2] if self._client_ca else None
        self._present = context, grpc.ssl_server_certificate_configuration([pair], roots)
        return ", ".join(map(str, self.paths))

    def http_context(self) -> ssl.SSLContext:
        """For a listening socket. Each handshake takes the certificate that is the newest then."""
        context = self._context()
        context.sni_callback = self._take_newest
        return context

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For a port of gRPC. Each handshake takes the certificate that is the newest then."""
        credentials: grpc.ServerCredentials = grpc.dynamic_ssl_server_credentials(
            self._present[1], lambda: self._present[1], self._client_ca is not None
        )
        return credentials

    def _take_newest(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:  # noqa: ARG002
        """Called in each handshake, also when the client names no server."""
        connection.context = self._present[0]

    def _contents(self) -> list[bytes]:
        try:
            return [path.read_bytes() for path in self.paths]
        except OSError as error:
            raise TlsError(f"can't read {error.filename}: {error.strerror}") from error

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = MIN_VERSION
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._cert, self._key, password=_refuse_password)
        except (OSError, ValueError) as error:
            raise TlsError(f"{self._cert}, {self._key}: {_reason(error)}") from error
        if self._client_ca is not None:
            try:
                context.load_verify_locations(self._client_ca)
            except (OSError, ValueError) as error:
                raise TlsError(f"{self._client_ca}: {_reason(error)}") from error
            context.verify_mode = ssl.CERT_REQUIRED
            # A resumed session shows no certificate, though its authority may have been withdrawn since: without
            # tickets TLS 1.3 resumes none, while Python can't keep OpenSSL from resuming those of TLS 1.2.
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.num_tickets = 0
        return context


def _refuse_password() -> str:
    raise ValueError("the private key must not be protected by a password")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "not what it should be"
    return str(getattr(error, "strerror", None) or error)


def build_tls(settings: Settings) -> ServerTls | None:
    """What the settings ask for; None for plain connections.

    Raises:
        SettingsError: the files can't be used.
    """
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    try:
        return ServerTls(settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file)
    except TlsError as error:
        raise SettingsError(f"{ENV_PREFIX}TLS_CERT_FILE, {ENV_PREFIX}TLS_KEY_FILE (--tls-…): {error}") from error
