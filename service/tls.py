"""The server's certificate, for HTTP and gRPC alike; both take up a new one for connections that come after it."""

from __future__ import annotations

import logging
import math
import re
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

import grpc
from cryptography import x509

from service.regular_file import read_regular
from service.settings import ENV_PREFIX, Settings, SettingsError

logger = logging.getLogger(__name__)
CERTIFICATE = "certificate", re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")
PRIVATE_KEY = "private key", re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
MIN_VERSION = ssl.TLSVersion.TLSv1_2
"""gRPC's own minimum is the same."""


class TlsError(Exception):
    """Certificate files can't be used; the message names them and nothing of their content.

    Attributes:
        paths: those that are wrong, or don't belong together.
    """

    def __init__(self, reason: str, *paths: Path) -> None:
        super().__init__(f"{', '.join(map(str, paths))}: {reason}")
        self.paths = paths


class ServerTls:
    """A certificate, its key and, where callers must show certificates, their authorities.

    Attributes:
        expires_s: Unix time from which the certificate, or one of its chain, is no longer valid; not a number where
            that can't be read.

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
            raise TlsError("changed while they were being read", *self.paths)
        pair = (content[1], content[0])
        roots = content[2] if self._client_ca else None
        self._present = context, grpc.ssl_server_certificate_configuration([pair], roots)
        self.expires_s = _expiry_s(content[0])
        until = "" if math.isnan(self.expires_s) else f"; valid until {_date(self.expires_s)}"
        if self.expires_s <= time.time():
            logger.warning("%s: the certificate, or one of its chain, expired on %s", self._cert, _date(self.expires_s))
        return ", ".join(map(str, self.paths)) + until

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
        """All files, before OpenSSL opens them by their names, and would wait for a pipe."""
        contents = []
        for path, (what, beginning) in zip(self.paths, (CERTIFICATE, PRIVATE_KEY, CERTIFICATE), strict=False):
            try:
                contents.append(read_regular(path))
            except OSError as error:
                raise TlsError(f"can't be read: {error.strerror}", path) from error
            if not beginning.search(contents[-1]):
                raise TlsError(f"holds no {what} in PEM", path)
        return contents

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = MIN_VERSION
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._cert, self._key, password=_refuse_password)
        except (OSError, ValueError) as error:
            raise TlsError(_reason(error), self._cert, self._key) from error
        if self._client_ca is not None:
            try:
                context.load_verify_locations(self._client_ca)
            except (OSError, ValueError) as error:
                raise TlsError(_reason(error), self._client_ca) from error
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
        return f"OpenSSL can't use them: {error.reason or error}"
    return str(getattr(error, "strerror", None) or error)


def _date(unix_s: float) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M} UTC"


def _expiry_s(chain: bytes) -> float:
    try:
        certificates = x509.load_pem_x509_certificates(chain)
    except ValueError:  # OpenSSL took it
        return math.nan
    return min(certificate.not_valid_after_utc for certificate in certificates).timestamp()


def build_tls(settings: Settings) -> ServerTls | None:
    """What the settings ask for; None for plain connections.

    Raises:
        SettingsError: the files can't be used.
    """
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    names = ("tls_cert_file", "tls_key_file", "tls_client_ca_file")
    try:
        return ServerTls(settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file)
    except TlsError as error:
        wrong = [name for name in names if getattr(settings, name) in error.paths]
        said = ", ".join(f"{ENV_PREFIX}{name.upper()} (--{name.replace('_', '-')})" for name in wrong)
        raise SettingsError(f"{said}: {error}") from error
