"""Which URLs may be fetched: https, a host of the allowlist, no credentials, no addresses in the place of names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

import idna

from service.errors import UrlNotAllowed

MAX_URL_CHARS = 2048
MAX_HOST_CHARS = 253
HTTPS_PORT = 443
# Parsed here, and passed on in parts: two parsers that read one URL in two ways are a hole.
URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<authority>[^/?#\\]*)(?P<target>[/?][^#]*)?(?:#.*)?")
AUTHORITY = re.compile(r"(?P<host>[^@:\[\]%]+)(?::(?P<port>[0-9]{1,5}))?")
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
UNSAFE = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
WILDCARD = "*."


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart. `host`: A-labels in lower case; `path`: with the query, as it stands in a request."""

    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The URL again, as the base of a redirect."""
        return f"https://{self.host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class HostRule:
    """One entry of the allowlist: a host, or with `subdomains` every name below it but not the name itself."""

    host: str
    port: int
    subdomains: bool

    def covers(self, target: Target) -> bool:
        """Whether the entry allows this host and port."""
        named = target.host.endswith(f".{self.host}") if self.subdomains else target.host == self.host
        return named and target.port == self.port


@dataclass(frozen=True, slots=True)
class Allowlist:
    """The hosts that the operator trusts to serve media."""

    rules: tuple[HostRule, ...]

    @classmethod
    def parse(cls, text: str) -> Allowlist:
        """Read entries with commas between them: `media.example.org`, `*.example.org`, `media.example.org:8443`.

        Raises:
            ValueError: names the entry that is none of these.
        """
        return cls(tuple(_rule(entry.strip()) for entry in text.split(",") if entry.strip()))

    def target(self, url: str) -> Target:
        """A URL that may be fetched, taken apart.

        Raises:
            UrlNotAllowed: it has another scheme, another host or port, credentials, or is no proper URL.
        """
        target = parse_url(url)
        if any(rule.covers(target) for rule in self.rules):
            return target
        if any(rule.covers(Target(target.host, rule.port, "/")) for rule in self.rules):
            raise UrlNotAllowed("the URL's port is not allowed for its host")
        raise UrlNotAllowed("the URL's host is not in this service's allowlist")


def parse_url(url: str) -> Target:
    """Take an https URL apart; what browsers would forgive is refused.

    Raises:
        UrlNotAllowed: it is not https, or malformed, or has credentials, or names its host by an address.
    """
    if len(url) > MAX_URL_CHARS:
        raise UrlNotAllowed("the URL is too long", limit=MAX_URL_CHARS, actual=len(url))
    parts = URL.fullmatch(url)
    if parts is None or UNSAFE.search(url):
        raise UrlNotAllowed("the URL is malformed")
    if parts["scheme"].lower() != "https":
        raise UrlNotAllowed("only https URLs are fetched")
    if "@" in parts["authority"]:
        raise UrlNotAllowed("a URL must not hold credentials")
    if parts["authority"].startswith("["):
        raise UrlNotAllowed("a URL must name its host by name, not by address")
    authority = AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise UrlNotAllowed("the URL's host is malformed")
    try:
        host = canonical_host(authority["host"])
    except ValueError as error:
        raise UrlNotAllowed(f"the URL's host {error}") from error
    path = quote(parts["target"] or "/", safe=PRINTABLE)
    return Target(host, int(authority["port"] or HTTPS_PORT), path if path.startswith("/") else f"/{path}")


def canonical_host(host: str) -> str:
    """A host name as A-labels in lower case, without the trailing dot.

    Raises:
        ValueError: it is malformed, or an address. A last label that is a number makes an address (WHATWG URL §3.5):
            decimal, octal, hexadecimal and short forms all end so.
    """
    if len(host) > MAX_HOST_CHARS + 1:
        raise ValueError("is too long")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True, std3_rules=True).decode()
        except idna.IDNAError as error:
            raise ValueError("is malformed") from error
    labels = host.lower().removesuffix(".").split(".")
    if NUMBER.fullmatch(labels[-1]):
        raise ValueError("must be a name, not an address")
    if not all(LABEL.fullmatch(label) for label in labels) or len(".".join(labels)) > MAX_HOST_CHARS:
        raise ValueError("is malformed")
    return ".".join(labels)


def _rule(entry: str) -> HostRule:
    subdomains = entry.startswith(WILDCARD)
    authority = AUTHORITY.fullmatch(entry.removeprefix(WILDCARD))
    port = int(authority["port"] or HTTPS_PORT) if authority else 0
    if authority is None or not 1 <= port <= 65535:
        raise ValueError(f"'{entry}' is not a host name, '*.' and a host name, or either with ':' and a port")
    try:
        host = canonical_host(authority["host"])
    except ValueError as error:
        raise ValueError(f"'{entry}' {error}") from error
    if subdomains and "." not in host:
        raise ValueError(f"'{entry}' would allow a whole top-level domain")
    return HostRule(host, port, subdomains)
