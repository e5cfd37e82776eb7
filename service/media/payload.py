"""Media as bytes: as they are from multipart, or base64, a data URI or a URL from JSON."""

from __future__ import annotations

import binascii
from typing import TypeGuard

from service.errors import InputError, InvalidBase64

Payload = bytes | str | InputError
"""An error stands for a file that could not be fetched."""


def is_url(payload: Payload) -> TypeGuard[str]:
    """Whether the payload names its file by URL. No base64 looks so: it has no colon."""
    return isinstance(payload, str) and payload[:8].lower().startswith(("http://", "https://"))


def read_payload(payload: Payload) -> bytes:
    """Decode a payload to the file's bytes.

    `str` is base64 (RFC 4648, padded; line breaks are allowed) or a data URI with `;base64` (RFC 2397). The media
    type of a data URI is not believed: the decoders look at the content. URLs have been fetched before this.

    Raises:
        InvalidBase64: it is neither.
        InputError: the payload itself, if it is one.
    """
    if isinstance(payload, InputError):
        raise payload
    if isinstance(payload, bytes):
        return payload
    encoded = payload
    if encoded[:5].lower() == "data:":
        head, comma, encoded = encoded.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise InvalidBase64("a data URI must hold ';base64,'")
    for candidate in (encoded, "".join(encoded.split())):  # line breaks are all that a second look may forgive
        try:
            data = binascii.a2b_base64(candidate, strict_mode=True)
        except ValueError:
            continue
        if len(candidate) % 4 == 0:
            return data
    raise InvalidBase64("not valid base64: expected the standard alphabet with padding")
