"""Which URLs pass the allowlist, and what is made of them."""

from __future__ import annotations

import pytest

from service.errors import UrlNotAllowed
from service.fetching.policy import MAX_URL_CHARS, Allowlist, Target, parse_url
from tests.service.fetching.refused import ADDRESSES_AS_HOSTS, NAMES_OFF_THE_LIST, WRONG_ENTRIES, WRONG_URLS

ALLOWLIST = Allowlist.parse("media.example.org, *.example.net, files.example.com:8443, bücher.example")


@pytest.mark.parametrize("host", ADDRESSES_AS_HOSTS)
def test_an_address_in_the_place_of_a_name_is_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(UrlNotAllowed) as caught:
        parse_url(f"https://{host}/")
    assert "address" in caught.value.detail or "malformed" in caught.value.detail
    for url in (f"https://{host}:443/a.png", f"https://{host}"):
        with pytest.raises(UrlNotAllowed):
            parse_url(url)


@pytest.mark.parametrize("host", NAMES_OFF_THE_LIST)
def test_a_host_or_port_off_the_list_is_refused(host: str) -> None:
    with pytest.raises(UrlNotAllowed, match=r"allowlist|port"):
        ALLOWLIST.target(f"https://{host}/cow.jpg")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://media.example.org/cow.jpg", Target("media.example.org", 443, "/cow.jpg")),
        ("HTTPS://MEDIA.Example.ORG./a?b=c&d=%2F#part", Target("media.example.org", 443, "/a?b=c&d=%2F")),
        ("https://media.example.org", Target("media.example.org", 443, "/")),
        ("https://media.example.org?x", Target("media.example.org", 443, "/?x")),
        ("https://media.example.org:443/", Target("media.example.org", 443, "/")),
        ("https://a.example.net/", Target("a.example.net", 443, "/")),
        ("https://a.b.example.net/", Target("a.b.example.net", 443, "/")),
        ("https://files.example.com:8443/", Target("files.example.com", 8443, "/")),
        ("https://bücher.example/", Target("xn--bcher-kva.example", 443, "/")),
        ("https://XN--bcher-kva.example/", Target("xn--bcher-kva.example", 443, "/")),
        ("https://media．example。org/", Target("media.example.org", 443, "/")),
        ("https://media.example.org/ü@é", Target("media.example.org", 443, "/%C3%BC@%C3%A9")),
    ],
)
def test_an_allowed_url_is_taken_apart(url: str, target: Target) -> None:
    assert ALLOWLIST.target(url) == target


@pytest.mark.parametrize("url", WRONG_URLS)
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        ALLOWLIST.target(url)


def test_a_long_url_is_refused_with_its_limit() -> None:
    with pytest.raises(UrlNotAllowed) as caught:
        ALLOWLIST.target("https://media.example.org/" + "a" * MAX_URL_CHARS)
    assert (caught.value.limit, caught.value.actual) == (MAX_URL_CHARS, MAX_URL_CHARS + 26)


@pytest.mark.parametrize("entry", WRONG_ENTRIES)
def test_a_wrong_entry_of_the_allowlist_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="'"):
        Allowlist.parse(f"media.example.org,{entry}")
