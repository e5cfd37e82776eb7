"""Which addresses lie on the public internet. Everything that is not known to be public is not."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network

# IANA's special-purpose registries (RFC 6890 and its updates), written out: `is_global` differs between versions of
# Python, and counts multicast and some relays as global.
REFUSED_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; 100.100.100.200 is a metadata service
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's metadata service, in a public block
        "169.254.0.0/16",  # link-local; 169.254.169.254 is the metadata service of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; 192.0.0.192 is a metadata service
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # multicast tunnels
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
UNICAST_V6 = IPv6Network("2000::/3")
"""The only block that IANA gives out. Outside it lie loopback, mapped and compatible IPv4, NAT64 (64:ff9b::/96 and
64:ff9b:1::/48), link-local, unique-local (fd00:ec2::254 is a metadata service), site-local and multicast."""
REFUSED_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


def is_public(address: str) -> bool:
    """Whether a numeric address, in its one canonical kind of spelling, is a host on the public internet.

    IPv6 addresses that carry an IPv4 address are refused, whichever it is, and so are scopes (`%eth0`).
    """
    try:
        if ":" not in address:
            v4 = IPv4Address(address)
            return v4.is_global and not any(v4 in block for block in REFUSED_V4)
        v6 = IPv6Address(address)
    except AddressValueError:
        return False
    if v6.scope_id is not None or v6 not in UNICAST_V6:
        return False
    return v6.is_global and not any(v6 in block for block in REFUSED_V6)
