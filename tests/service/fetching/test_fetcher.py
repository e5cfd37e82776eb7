"""The fetcher against a local TLS server that plays the public internet."""

from __future__ import annotations

import asyncio
import gzip
import socket
from contextlib import suppress

import pytest
import trustme

from service.errors import DeadlineExceeded, InputError, QueueFull, UrlNotAllowed, UrlUnreachable
from service.fetching.addresses import is_public
from service.fetching.fetcher import CHUNKS_IN_A_ROW, CONCURRENT_FETCHES, FetchLimits
from service.fetching.network import UNREACHABLE, SystemResolver
from tests.service.fetching.refused import ADDRESSES_AS_HOSTS, PRIVATE_ADDRESSES, REDIRECTS
from tests.service.fetching.site import (
    HOST,
    LIMITS,
    MIB,
    PUBLIC,
    PUBLIC_V6,
    LocalDialler,
    Site,
    answer,
    redirect,
    running_site,
)

URL = f"https://{HOST}/cow.jpg"
OK = b"HTTP/1.1 200 OK\r\n"
BROKEN = [
    *(b"garbage\r\n\r\n", b"", OK + b"X: " + b"a" * 200_000),
    *(OK + b"Content-Length: 10\r\n\r\nmoo", OK + b"Content-Length: x\r\n\r\n"),
    OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nmoo",
    *(OK + b"Transfer-Encoding: gzip\r\n\r\nmoo", OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    *(b"HTTP/1.1 302 Found\r\n\r\n", b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\n\r\n"),
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
]
MANY_HOSTS = f"{HOST}, *.example.net, other.example.com"


async def refusal(site: Site, url: str = URL, hosts: str = HOST, limits: FetchLimits = LIMITS) -> InputError:
    with pytest.raises(InputError) as caught:
        await site.fetcher(hosts, limits).fetch(url)
    return caught.value


async def test_a_file_comes_byte_for_byte_and_is_accounted_for(site: Site) -> None:
    body = bytes(range(256)) * 1000
    site.pages["/cow.jpg"] = answer(body)
    taken: list[int] = []
    assert await site.fetcher().fetch(URL, account=taken.append) == body
    assert sum(taken) == len(body)
    assert (site.resolver.questions, site.dialler.dialled) == ([HOST], [PUBLIC])


async def test_the_request_carries_neither_cookies_nor_credentials(site: Site) -> None:
    site.pages["/a?b=1"] = answer(b"x", "Set-Cookie: a=b")
    fetcher = site.fetcher()
    for _ in range(2):
        await fetcher.fetch(f"https://{HOST}/a?b=1#c")
    first, second = site.requests
    assert first == second
    lines = first.lower().split("\r\n")
    assert lines[0] == "get /a?b=1 http/1.1"
    names = {line.partition(":")[0] for line in lines[1:] if line}
    assert names == {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert f"host: {HOST}" in lines


@pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
async def test_a_name_with_a_private_address_is_never_dialled(site: Site, address: str) -> None:
    for answers in ([address], [PUBLIC, address], [address, PUBLIC_V6, PUBLIC]):
        site.resolver.script(HOST, answers)
        error = await refusal(site)
        assert error.code == "url_unreachable"
        assert error.detail == UNREACHABLE
    assert site.dialler.dialled == []


async def test_a_private_address_reads_like_a_name_that_is_not_there(site: Site) -> None:
    site.resolver.script(HOST, ["10.0.0.7"])
    private = await refusal(site)
    site.resolver.script(HOST)
    unknown = await refusal(site)
    site.resolver.script(HOST, [PUBLIC])
    site.dialler = LocalDialler(site.port, dead=[PUBLIC])
    closed = await refusal(site)
    assert len({(error.code, error.detail, error.limit, error.actual) for error in (private, unknown, closed)}) == 1


@pytest.mark.parametrize("host", ADDRESSES_AS_HOSTS)
async def test_a_redirect_to_an_address_is_not_followed(site: Site, host: str) -> None:
    site.pages["/cow.jpg"] = answer(b"", status="302 Found").replace(
        b"\r\n\r\n", f"\r\nLocation: https://{host}/\r\n\r\n".encode()
    )
    error = await refusal(site)
    assert error.code in ("url_not_allowed", "url_unreachable")
    assert len(site.requests) == 1
    assert site.dialler.dialled == [PUBLIC]


@pytest.mark.parametrize("location", REDIRECTS)
async def test_a_redirect_to_anything_off_the_list_is_not_followed(site: Site, location: str) -> None:
    site.pages["/cow.jpg"] = redirect(location)
    error = await refusal(site)
    assert error.code in ("url_not_allowed", "url_unreachable")
    assert "evil" not in error.detail
    assert len(site.dialler.dialled) == len(site.requests) == 1


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_redirects_within_the_list_are_followed_and_each_name_is_resolved(site: Site, status: str) -> None:
    site.resolver.script("a.example.net", [PUBLIC_V6])
    site.pages |= {
        "/cow.jpg": redirect("/b/c", status),
        "/b/c": redirect("https://a.example.net/d?e"),
        "/d?e": answer(b"moo"),
    }
    assert await site.fetcher(MANY_HOSTS).fetch(URL) == b"moo"
    assert site.resolver.questions == [HOST, "a.example.net"]
    assert site.dialler.dialled == [PUBLIC, PUBLIC, PUBLIC_V6]


async def test_a_redirect_to_a_name_with_a_private_address_is_not_followed(site: Site) -> None:
    site.resolver.script("a.example.net", ["169.254.169.254"])
    site.pages["/cow.jpg"] = redirect("https://a.example.net/latest/meta-data/")
    error = await refusal(site, hosts=MANY_HOSTS)
    assert error.detail == UNREACHABLE
    assert site.dialler.dialled == [PUBLIC]


async def test_a_name_is_resolved_once_and_the_checked_address_is_dialled(site: Site) -> None:
    """A resolver that says a public address first and a private one the next time gains nothing."""
    site.pages["/cow.jpg"] = answer(b"moo")
    site.resolver.script(HOST, [PUBLIC], ["127.0.0.1"])
    fetcher = site.fetcher()
    assert await fetcher.fetch(URL) == b"moo"
    assert (site.resolver.questions, site.dialler.dialled) == ([HOST], [PUBLIC])
    with pytest.raises(UrlUnreachable, match="public address"):
        await fetcher.fetch(URL)
    assert site.dialler.dialled == [PUBLIC]


async def test_a_redirect_to_the_same_host_goes_to_the_address_that_was_checked(site: Site) -> None:
    """Whatever the resolver would say by then."""
    site.pages |= {"/cow.jpg": redirect("/b"), "/b": answer(b"moo")}
    site.resolver.script(HOST, [PUBLIC], ["10.0.0.1"])
    assert await site.fetcher().fetch(URL) == b"moo"
    assert (site.resolver.questions, site.dialler.dialled) == ([HOST], [PUBLIC, PUBLIC])


async def test_a_host_that_refuses_everywhere_is_dialled_once_for_a_request(site: Site) -> None:
    site.dialler = LocalDialler(site.port, dead=[PUBLIC])
    fetcher = site.fetcher()
    hosts = fetcher.known_hosts()
    for _ in range(3):
        with pytest.raises(UrlUnreachable, match="public address"):
            await fetcher.fetch(URL, hosts)
    assert (site.resolver.questions, site.dialler.dialled) == ([HOST], [PUBLIC])
    with pytest.raises(UrlUnreachable):
        await fetcher.fetch(URL)  # another request asks again
    assert len(site.resolver.questions) == 2


async def test_the_next_address_is_tried_when_one_is_dead(site: Site) -> None:
    site.pages["/cow.jpg"] = answer(b"moo")
    site.resolver.script(HOST, [PUBLIC_V6, PUBLIC_V6, PUBLIC])
    site.dialler = LocalDialler(site.port, dead=[PUBLIC_V6])
    assert await site.fetcher().fetch(URL) == b"moo"
    assert site.dialler.dialled == [PUBLIC_V6, PUBLIC]


async def test_too_many_redirects_and_loops_end(site: Site) -> None:
    site.pages["/cow.jpg"] = redirect("/cow.jpg")
    error = await refusal(site)
    assert (error.code, error.limit) == ("url_unreachable", 3)
    assert len(site.requests) == 4
    site.requests.clear()
    error = await refusal(site, limits=FetchLimits(MIB, 5000, 0))
    assert (error.limit, len(site.requests)) == (0, 1)


async def test_a_certificate_for_another_name_is_refused(authority: trustme.CA) -> None:
    async with running_site("someone-else.example.org", authority=authority) as site:
        site.pages["/cow.jpg"] = answer(b"moo")
        assert "certificate" in (await refusal(site)).detail
        assert site.requests == []


async def test_a_certificate_of_an_unknown_authority_is_refused(site: Site) -> None:
    site.authority = trustme.CA()
    assert "certificate" in (await refusal(site)).detail
    assert site.requests == []


@pytest.mark.parametrize(
    "status", ["204 No Content", "206 Partial Content", "304 Not Modified", "404 Not Found", "500 Oops"]
)
async def test_any_status_but_200_is_refused(site: Site, status: str) -> None:
    site.pages["/cow.jpg"] = f"HTTP/1.1 {status}\r\n\r\n".encode()
    error = await refusal(site)
    assert error.code == "url_unreachable"
    assert status[:3] in error.detail


@pytest.mark.parametrize("response", BROKEN)
async def test_a_broken_response_is_refused(site: Site, response: bytes) -> None:
    site.pages["/cow.jpg"] = response
    assert (await refusal(site)).code == "url_unreachable"


async def test_a_declared_length_over_the_limit_is_refused_before_the_body(site: Site) -> None:
    sent = []

    async def huge(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {10 * 1024 * MIB}\r\n\r\n".encode())
        await writer.drain()
        sent.append(True)
        await asyncio.sleep(5)

    site.pages["/cow.jpg"] = huge
    taken: list[int] = []
    with pytest.raises(UrlUnreachable) as caught:
        await site.fetcher().fetch(URL, account=taken.append)
    assert (caught.value.limit, caught.value.actual, taken, sent) == (MIB, 10 * 1024 * MIB, [], [True])


@pytest.mark.parametrize("head", [b"", b"Transfer-Encoding: chunked\r\n"])
async def test_an_endless_body_ends_at_the_limit(site: Site, head: bytes) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        while True:
            writer.write(b"10000\r\n" + bytes(65536) + b"\r\n" if head else bytes(65536))
            await writer.drain()

    site.pages["/cow.jpg"] = endless
    taken: list[int] = []
    with pytest.raises(UrlUnreachable) as caught:
        await site.fetcher().fetch(URL, account=taken.append)
    assert caught.value.limit == MIB
    assert sum(taken) <= MIB


async def test_a_file_of_exactly_the_limit_comes(site: Site) -> None:
    site.pages |= {"/cow.jpg": answer(bytes(MIB)), "/b": answer(bytes(MIB + 1))}
    assert len(await site.fetcher().fetch(URL)) == MIB
    assert (await refusal(site, f"https://{HOST}/b")).limit == MIB


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "identity, gzip", "x"])
async def test_a_compressed_body_is_refused(site: Site, coding: str) -> None:
    site.pages["/cow.jpg"] = answer(gzip.compress(bytes(MIB)), f"Content-Encoding: {coding}")
    assert "compressed" in (await refusal(site)).detail


async def test_a_slow_drip_ends_with_the_time(site: Site) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    site.pages["/cow.jpg"] = drip
    started = asyncio.get_running_loop().time()
    error = await refusal(site, limits=FetchLimits(MIB, 300, 3))
    assert (error.code, error.limit) == ("url_unreachable", 300)
    assert 0.3 <= asyncio.get_running_loop().time() - started < 2.0


async def test_the_time_runs_on_over_redirects(site: Site) -> None:
    async def slow(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(redirect("/cow.jpg"))

    site.pages["/cow.jpg"] = slow
    assert (await refusal(site, limits=FetchLimits(MIB, 300, 20))).limit == 300
    assert len(site.requests) <= 2


async def test_a_host_that_accepts_and_says_nothing_costs_no_socket() -> None:
    """The TLS handshake never ends; the socket must be closed with the fetch."""
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        gone.set()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        site = Site(trustme.CA())
        site.dialler = LocalDialler(server.sockets[0].getsockname()[1])
        assert (await refusal(site, limits=FetchLimits(MIB, 200, 3))).limit == 200
        await asyncio.wait_for(gone.wait(), 2.0)


async def test_the_requests_own_deadline_is_kept(site: Site) -> None:
    async def never(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(10)

    site.pages["/cow.jpg"] = never
    loop = asyncio.get_running_loop()
    with pytest.raises(DeadlineExceeded):
        await site.fetcher().fetch(URL, deadline_s=loop.time() + 0.1)
    with pytest.raises(DeadlineExceeded):
        await site.fetcher().fetch(URL, deadline_s=loop.time() - 1)


async def test_what_the_accounting_raises_ends_the_fetch(site: Site) -> None:
    site.pages["/cow.jpg"] = answer(bytes(MIB))

    def full(count: int) -> None:
        raise QueueFull("full")

    with pytest.raises(QueueFull):
        await site.fetcher().fetch(URL, account=full)


async def test_only_so_many_fetches_run_at_once(site: Site) -> None:
    running, most = 0, 0

    async def slow(writer: asyncio.StreamWriter) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        writer.write(answer(b"moo"))

    site.pages["/cow.jpg"] = slow
    fetcher = site.fetcher()
    files = await asyncio.gather(*(fetcher.fetch(URL) for _ in range(2 * CONCURRENT_FETCHES)))
    assert set(files) == {b"moo"}
    assert 1 < most <= CONCURRENT_FETCHES


async def test_many_tiny_chunks_leave_the_event_loop_to_others(site: Site) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    site.pages["/cow.jpg"] = head + b"1\r\nx\r\n" * 30_000 + b"0\r\n\r\n"
    fetch = asyncio.create_task(site.fetcher().fetch(URL))
    turns = 0
    while not fetch.done():
        await asyncio.sleep(0)
        turns += 1
    assert await fetch == b"x" * 30_000
    assert turns > 30_000 // CHUNKS_IN_A_ROW


async def test_a_host_off_the_list_is_not_even_resolved(site: Site) -> None:
    with pytest.raises(UrlNotAllowed, match="allowlist"):
        await site.fetcher().fetch("https://evil.test/cow.jpg")
    assert site.resolver.questions == []


async def test_the_systems_resolver_gives_addresses_or_an_error() -> None:
    """`localhost` as an absolute name is known to some systems and not to others; where it is, it is not public."""
    resolver = SystemResolver()
    with suppress(socket.gaierror):
        answers = await resolver.resolve("localhost", 443)
        assert answers
        assert not any(map(is_public, answers))
    with pytest.raises(socket.gaierror):
        await resolver.resolve("no-such-name.invalid", 443)
    resolver.close()
