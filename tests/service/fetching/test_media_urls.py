"""URLs of one request: fetched together, once each, within the room that the service has."""

from __future__ import annotations

import asyncio

import pytest

from service.admission import Admission, RequestRoom, WaitingRoom
from service.context import RequestContext, Stages
from service.errors import DeadlineExceeded, InputError, InvalidRequest, QueueFull, UrlNotAllowed, UrlUnreachable
from service.fetching.media_urls import MediaUrls
from tests.service.fetching.site import HOST, MIB, PUBLIC, Site, answer

URL = f"https://{HOST}/a"


async def test_files_come_by_url_and_are_accounted_for_until_the_exit(site: Site) -> None:
    site.pages |= {"/a": answer(b"moo"), "/b": answer(b"baa")}
    admission = Admission(max_items=1, max_bytes=MIB)
    urls = MediaUrls(site.fetcher(), admission, max_bytes=MIB)
    stages = Stages()
    other = f"https://{HOST}/b"
    async with urls.fetched([URL, other, URL], stages) as files:
        assert files == {URL: b"moo", other: b"baa"}
        assert admission.bytes == 6
    assert admission.bytes == 0
    assert len(site.requests) == 2
    assert stages.fetch > 0


async def test_urls_are_fetched_side_by_side(site: Site) -> None:
    async def slow(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        writer.write(answer(b"moo"))

    site.pages |= {f"/{i}": slow for i in range(8)}
    urls = MediaUrls(site.fetcher(), Admission(max_items=1, max_bytes=MIB), max_bytes=MIB)
    started = asyncio.get_running_loop().time()
    async with urls.fetched([f"https://{HOST}/{i}" for i in range(8)], Stages()) as files:
        assert set(files.values()) == {b"moo"}
    assert asyncio.get_running_loop().time() - started < 2.5


async def test_a_file_that_fails_gives_its_room_back_to_its_neighbours(site: Site) -> None:
    async def cut_off(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(900))

    site.pages |= {"/a": answer(b"moo"), "/b": cut_off}
    admission = Admission(max_items=1, max_bytes=MIB)
    urls = MediaUrls(site.fetcher(), admission, max_bytes=MIB)
    async with urls.fetched([URL, f"https://{HOST}/b"], Stages()) as files:
        assert files[URL] == b"moo"
        assert isinstance(files[f"https://{HOST}/b"], InputError)
        assert admission.bytes == 3
    assert admission.bytes == 0


async def test_without_room_the_request_is_refused_and_nothing_is_kept(site: Site) -> None:
    site.pages |= {"/a": answer(bytes(1000)), "/b": answer(bytes(1000))}
    admission = Admission(max_items=1, max_bytes=2500)
    neighbour = RequestContext("n", {}, 0.0)
    admission.take(neighbour, num_bytes=1000)
    urls = MediaUrls(site.fetcher(), admission, max_bytes=MIB)
    with pytest.raises(QueueFull):
        async with urls.fetched([URL, f"https://{HOST}/b"], Stages()):
            pass
    assert admission.bytes == 1000


async def test_files_that_never_fit_beside_their_own_request_are_its_fault(site: Site) -> None:
    site.pages["/a"] = answer(bytes(1000))
    admission, own = Admission(max_items=1, max_bytes=1500), RequestContext("o", {}, 0.0)
    admission.take(own, num_bytes=600)
    urls = MediaUrls(site.fetcher(), admission, max_bytes=MIB)
    with pytest.raises(InvalidRequest) as caught:
        async with urls.fetched([URL], Stages(), RequestRoom(admission, own)):
            pass
    assert [(error.limit, error.actual) for error in caught.value.errors] == [(1500, 1600)]
    assert (admission.bytes, own.shared_bytes) == (600, 0)


async def test_where_the_room_waits_it_holds_what_may_come_until_it_has_come(site: Site) -> None:
    gate = asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        writer.write(answer(b"moo"))

    site.pages["/a"] = slow
    admission, own = Admission(max_items=1, max_bytes=10 * MIB), RequestContext("o", {}, 0.0)
    urls = MediaUrls(site.fetcher(), admission, max_bytes=MIB)
    room = WaitingRoom(admission, own, asyncio.Lock(), lambda: None)

    async def request() -> None:
        async with urls.fetched([URL], Stages(), room) as files:
            assert files == {URL: b"moo"}
            assert (admission.bytes, own.held_bytes, own.shared_bytes) == (3, 0, 3)

    task = asyncio.create_task(request())
    while not admission.bytes:
        await asyncio.sleep(0.01)
    assert admission.bytes == MIB
    gate.set()
    await task
    assert (admission.bytes, own.shared_bytes) == (0, 0)


async def test_the_deadline_of_the_request_ends_all_fetches(site: Site) -> None:
    async def never(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(10)

    site.pages["/a"] = never
    urls = MediaUrls(site.fetcher(), Admission(max_items=1, max_bytes=MIB), max_bytes=MIB)
    stages = Stages(deadline_s=asyncio.get_running_loop().time() + 0.1)
    with pytest.raises(DeadlineExceeded):
        async with urls.fetched([URL], stages):
            pass


async def test_when_the_caller_leaves_the_connection_is_closed_and_the_room_given_back(site: Site) -> None:
    begun, gone = asyncio.Event(), asyncio.Event()

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000)
        begun.set()
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)
        finally:
            gone.set()

    site.pages["/a"] = endless
    admission = Admission(max_items=1, max_bytes=MIB)
    urls = MediaUrls(site.fetcher(), admission, max_bytes=MIB)

    async def request() -> None:
        async with urls.fetched([URL], Stages()):
            pass

    task = asyncio.create_task(request())
    await begun.wait()
    while not admission.bytes:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(gone.wait(), 2.0)
    assert admission.bytes == 0


async def test_when_off_a_url_is_refused_and_the_setting_named() -> None:
    urls = MediaUrls(None, Admission(max_items=1, max_bytes=MIB), max_bytes=MIB)
    async with urls.fetched([URL], Stages()) as files:
        refused = files[URL]
    assert isinstance(refused, UrlNotAllowed)
    assert "ONEPEACE_URL_FETCH=allowlist" in refused.detail
    await urls.close()


async def test_a_name_that_nobody_knows_is_looked_up_once_however_many_urls_have_it(site: Site) -> None:
    """A name server that takes seconds to say no must not take them once for each URL."""
    lookups: list[str] = []

    async def refuse_slowly(host: str, port: int) -> list[str]:
        lookups.append(host)
        await asyncio.sleep(0.3)
        raise OSError("no such name")

    fetcher = site.fetcher()
    site.resolver.resolve = refuse_slowly  # type: ignore[method-assign]
    urls = MediaUrls(fetcher, Admission(max_items=1, max_bytes=MIB), max_bytes=MIB)
    stages = Stages(deadline_s=asyncio.get_running_loop().time() + 10)
    async with urls.fetched([f"https://{HOST}/{i}" for i in range(1000)], stages) as files:  # 63 times the slots
        assert {type(file) for file in files.values()} == {UrlUnreachable}
    assert lookups == [HOST]


async def test_who_stops_waiting_for_a_lookup_does_not_end_it_for_others(site: Site) -> None:
    gate = asyncio.Event()

    async def answer_late(host: str, port: int) -> list[str]:
        await gate.wait()
        return [PUBLIC]

    site.pages["/a"] = answer(b"moo")
    site.resolver.resolve = answer_late  # type: ignore[method-assign]
    fetcher = site.fetcher()
    hosts = fetcher.known_hosts()
    first, second = (asyncio.create_task(fetcher.fetch(URL, hosts)) for _ in range(2))
    await asyncio.sleep(0.05)
    first.cancel()
    gate.set()
    assert await second == b"moo"
    assert first.cancelled()
