"""The keys that callers send: made here at random, kept by others only as their hash.

A key has 256 random bits, so nobody can try them out, and one round of SHA-256 hides it as well as a slow hash would:
slow hashes buy time for secrets that can be guessed. They would also let a stranger burn a core with wrong keys. What
has another form than `new_token` gives is refused before it is hashed, so a password can never serve as a key.
"""

from __future__ import annotations

import hashlib
import re
import secrets

PREFIX = "op_"
"""For scanners that look for secrets in code and logs."""
TOKEN_BYTES = 32
BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +(op_[A-Za-z0-9_-]{43})")
"""The value of an Authorization header (RFC 6750) that holds a key."""


def new_token() -> str:
    """A new key: the prefix and 256 random bits as base64url."""
    return PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(token: bytes) -> bytes:
    """SHA-256 of a key, as it stands in the key file in hexadecimal."""
    return hashlib.sha256(token).digest()


def presented_token(authorization: bytes) -> bytes | None:
    """The key in an Authorization header; None if what stands there can't be one."""
    match = BEARER.fullmatch(authorization)
    return match[1] if match else None
