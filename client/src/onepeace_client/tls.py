"""Certificates beyond what the system trusts: an authority of one's own, and a certificate to show."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import grpc


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files, read when a client is made.

    Attributes:
        ca_file: the authorities that the server's certificate is checked by, in the place of the usual ones.
        cert_file, key_file: what is shown to a server that wants to see a certificate.

    Raises (on creation):
        ValueError: there is one of certificate and key.
    """

    ca_file: str | Path | None = None
    cert_file: str | Path | None = None
    key_file: str | Path | None = None

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together")

    def context(self) -> ssl.SSLContext:
        """For HTTPS.

        Raises:
            OSError: a file can't be read or used; `ssl.SSLError` is one.
        """
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """For gRPC.

        Raises:
            OSError: a file can't be read.
        """
        import grpc

        roots, key, chain = (
            None if path is None else Path(path).read_bytes() for path in (self.ca_file, self.key_file, self.cert_file)
        )
        return grpc.ssl_channel_credentials(roots, key, chain)
