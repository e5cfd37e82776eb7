"""The one rule: who is let in to which endpoint, and how often."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from service.access.account import Account
from service.access.key_file import KeyFileError, read_keys
from service.access.ring import KeyRing
from service.access.scopes import Door, Need, needs_of
from service.access.tokens import digest_of, presented_token
from service.errors import ServiceError, Unauthenticated
from service.settings import ENV_PREFIX, Settings, SettingsError

ACCEPTED = "accepted"
UNKNOWN = "this is no key of this service"


class AccessObserver(Protocol):
    """Told what keys are used for."""

    def key_used(self, key: str, outcome: str) -> None:
        """A key of the file was sent; `outcome` is `accepted` or the code of the error."""
        ...

    def key_charged(self, key: str, outcome: str, items: int) -> None:
        """Items of a request that was let in were accepted or refused; `outcome` as in `key_used`."""
        ...


class Caller:
    """Who sent a request that was let in."""

    __slots__ = ("_digest", "_gate", "_need")

    def __init__(self, gate: Gate, digest: bytes, need: Need) -> None:
        self._gate, self._digest, self._need = gate, digest, need

    def charge_items(self, count: int, *, in_debt: bool = False) -> None:
        """Account for items that are about to be worked on; a stream meets here what has become of its key.

        Args:
            count: 0 looks after the key alone.
            in_debt: the request is let in already, and goes on whether or not the rate allows these items now.

        Raises:
            Unauthenticated, Forbidden: the key is no longer good.
            RateLimited: its items are used up.
        """
        self._gate.charge_items(self._digest, self._need, count, in_debt=in_debt)

    def items_wait_s(self) -> float:
        """Seconds until the rate allows an item; none for a key that is gone, as its items tell."""
        return self._gate.items_wait_s(self._digest)


class Gate:
    """Lets callers in by the keys of a file, which may be read anew at any time, in another thread, too.

    Raises (on creation):
        KeyFileError: the file can't be used.
    """

    name = "keys"

    def __init__(
        self,
        path: Path,
        needs: Mapping[str, Need],
        observer: AccessObserver,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._needs, self._observer, self._clock = path, needs, observer, clock
        self.paths = (path,)
        self._ring = KeyRing(())
        self.load()

    def load(self) -> str:
        """Read the file anew: what it holds, in words. Rates that did not change go on where they are.

        Raises:
            KeyFileError: it can't be used; the keys stay as they were.
        """
        keys, earlier = read_keys(self._path), self._ring.accounts
        self._ring = KeyRing(Account(key, self._clock, earlier.get(key.name)) for key in keys)
        return ", ".join(key.name for key in keys) or "none: nobody is let in"

    def admit(self, endpoint: str, authorization: Sequence[bytes]) -> Caller | None:
        """Let a request in before anything of it is read; None where no key is needed.

        Args:
            endpoint: a path of HTTP or a full method of gRPC.
            authorization: every Authorization header of the request.

        Raises:
            Unauthenticated: there is no key, more than one, or one that is unknown or has expired.
            Forbidden: the key lacks the scope.
            RateLimited: the key's requests are used up.
        """
        need = self._needs.get(endpoint, Door.KEY)
        if need is Door.OPEN:
            return None
        digest = digest_of(_token(authorization))
        self._charge(digest, need, Account.charge_request, self._observer.key_used)
        return Caller(self, digest, need)

    def charge_items(self, digest: bytes, need: Need, count: int, *, in_debt: bool) -> None:
        """See `Caller.charge_items`."""

        def report(key: str, outcome: str) -> None:
            self._observer.key_charged(key, outcome, count)

        self._charge(digest, need, lambda account: account.charge_items(count, in_debt=in_debt), report)

    def items_wait_s(self, digest: bytes) -> float:
        """See `Caller.items_wait_s`."""
        account = self._ring.find(digest)
        return account.items_wait_s() if account is not None else 0.0

    def _charge(
        self, digest: bytes, need: Need, charge: Callable[[Account], None], report: Callable[[str, str], None]
    ) -> None:
        account = self._ring.find(digest)
        if account is None:
            raise Unauthenticated(UNKNOWN)
        outcome = ACCEPTED
        try:
            account.check(need)
            charge(account)
        except ServiceError as error:
            outcome = error.code
            raise
        finally:
            report(account.key.name, outcome)


def _token(authorization: Sequence[bytes]) -> bytes:
    if not authorization:
        raise Unauthenticated("this needs a key: send 'Authorization: Bearer op_…'", presented=False)
    if len(authorization) > 1:
        raise Unauthenticated("more than one Authorization header")
    token = presented_token(authorization[0])
    if token is None:
        raise Unauthenticated(UNKNOWN)
    return token


def build_gate(settings: Settings, observer: AccessObserver) -> Gate | None:
    """The gate that the settings ask for; None when everybody is let in.

    Raises:
        SettingsError: the key file can't be used.
    """
    if settings.api_keys_file is None:
        return None
    try:
        return Gate(settings.api_keys_file, needs_of(settings), observer)
    except KeyFileError as error:
        raise SettingsError(f"{ENV_PREFIX}API_KEYS_FILE (--api-keys-file): {error}") from error
