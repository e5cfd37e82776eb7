"""What a gateway may take, to be held against the limit of its container."""

from __future__ import annotations

from service.settings import MIB, Settings

SERVICE_BYTES = 430 * MIB
"""With the small model: the peak of docs/docker.md, and 28 MB of decoding processes that have no file."""


def most_bytes(settings: Settings) -> int:
    """The service, all that it admits, and a file of the dearest kind in each decoding process."""
    assert settings.decode_isolation == "process"
    return SERVICE_BYTES + settings.max_pending_bytes + settings.decode_cores() * settings.decoder_memory()
