"""A key at work: what the file says of it, and what is left of its rates."""

from __future__ import annotations

import time
from collections.abc import Callable

from service.access.bucket import Bucket
from service.access.key_file import Key
from service.access.scopes import Need, Scope
from service.errors import Forbidden, RateLimited, Unauthenticated


class Account:
    """One key with its buckets. `earlier` is that of the same name before the file was read anew."""

    __slots__ = ("_items", "_requests", "key")

    def __init__(self, key: Key, clock: Callable[[], float], earlier: Account | None = None) -> None:
        self.key = key
        self._requests = Bucket(key.requests, clock) if key.requests else None
        self._items = Bucket(key.items, clock) if key.items else None
        if earlier is not None and earlier.key.requests == key.requests:
            self._requests = earlier._requests
        if earlier is not None and earlier.key.items == key.items:
            self._items = earlier._items

    def check(self, need: Need) -> None:
        """Make sure that the key is good for an endpoint.

        Raises:
            Unauthenticated: it has expired.
            Forbidden: it lacks the scope.
        """
        if time.time() >= self.key.expires_s:
            raise Unauthenticated("this key has expired")
        if isinstance(need, Scope) and need not in self.key.scopes:
            raise Forbidden(f"this key lacks the scope '{need}'", scope=need)

    def charge_request(self) -> None:
        """Account for one request.

        Raises:
            RateLimited: there were too many.
        """
        _charge(self._requests, 1, "requests")

    def charge_items(self, count: int, *, in_debt: bool) -> None:
        """Account for items; `in_debt`: whether or not the rate allows them now.

        Raises:
            RateLimited: there were too many.
        """
        if in_debt and self._items is not None:
            self._items.owe(count)
            return
        _charge(self._items, count, "items")

    def items_wait_s(self) -> float:
        """Seconds until the rate allows an item."""
        return self._items.wait_s(1) if self._items is not None else 0.0


def _charge(bucket: Bucket | None, count: int, what: str) -> None:
    wait_s = bucket.take(count) if bucket is not None else 0.0
    if bucket is not None and wait_s:
        rate = bucket.rate.per_second
        raise RateLimited(f"this key may ask for {rate:g} {what} per second", limit=rate, wait_s=wait_s)
