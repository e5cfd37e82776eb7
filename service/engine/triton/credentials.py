"""TLS to Triton: read once, at the start."""

from __future__ import annotations

from pathlib import Path

import grpc

from service.settings import ENV_PREFIX, Settings, SettingsError


def read_credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    """For channels to Triton; None for plain ones.

    Raises:
        SettingsError: a file can't be read, or holds no PEM.
    """
    if settings.triton_tls_ca_file is None:
        return None
    roots = _pem("triton_tls_ca_file", settings.triton_tls_ca_file)
    if settings.triton_tls_cert_file is None or settings.triton_tls_key_file is None:
        return grpc.ssl_channel_credentials(roots)
    key = _pem("triton_tls_key_file", settings.triton_tls_key_file)
    chain = _pem("triton_tls_cert_file", settings.triton_tls_cert_file)
    return grpc.ssl_channel_credentials(roots, key, chain)


def _pem(name: str, path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{ENV_PREFIX}{name.upper()}: can't read {path}: {error.strerror}") from error
    if b"-----BEGIN " not in data:
        raise SettingsError(f"{ENV_PREFIX}{name.upper()}: {path} is no PEM file")
    return data
