"""Private, special and odd addresses, none of which is public, and some that are."""

from __future__ import annotations

import pytest

from service.fetching.addresses import is_public
from tests.service.fetching.refused import PRIVATE_ADDRESSES


@pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
def test_an_address_that_is_not_a_public_host_is_refused(address: str) -> None:
    assert not is_public(address)


PUBLIC_ADDRESSES = [
    *("1.1.1.1", "8.8.8.8", "93.184.215.14"),
    # next to private blocks
    *("11.0.0.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "169.253.255.255", "168.63.129.15"),
    *("192.169.0.1", "198.17.255.255", "198.20.0.0", "223.255.255.255"),
    *("2606:4700:4700::1111", "2a00:1450:4001:82b::200e", "2001:4860:4860::8888", "2003::1"),
]


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_a_public_host_is_public(address: str) -> None:
    assert is_public(address)
