"""Finds a key by its hash, in a time that tells nothing."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable

from service.access.account import Account

_NOBODY: tuple[bytes, None] = (secrets.token_bytes(32), None)


class KeyRing:
    """The keys of one file.

    The table is indexed by a hash under a secret of this process: how long a look-up takes depends on a value that no
    caller can know or choose, whichever key is asked for and however many there are. What was found is then compared
    in constant time, and when nothing was, something is compared all the same.
    """

    def __init__(self, accounts: Iterable[Account]) -> None:
        self.accounts = {account.key.name: account for account in accounts}
        self._secret = secrets.token_bytes(32)
        self._table = {
            self._index(digest): (digest, account)
            for account in self.accounts.values()
            for digest in account.key.digests
        }

    def find(self, digest: bytes) -> Account | None:
        """The account of a key with this SHA-256."""
        known, account = self._table.get(self._index(digest), _NOBODY)
        return account if hmac.compare_digest(known, digest) else None

    def _index(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=self._secret, digest_size=16).digest()
