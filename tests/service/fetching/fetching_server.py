"""A site, and a live server that fetches from it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme

from tests.repository import REPOSITORY
from tests.service.fetching.public_internet import PRIVATE_HOST
from tests.service.fetching.site import HOST, Site, running_site
from tests.service.live_server import LiveServer, live_server

KIB = 1024


@contextmanager
def site_in_a_thread(authority: trustme.CA) -> Iterator[Site]:
    """The site in a thread of its own, because tests that use it wait for answers."""
    started, loop, sites = threading.Event(), asyncio.new_event_loop(), []
    stop = asyncio.Event()

    async def serve() -> None:
        async with running_site(HOST, authority=authority) as site:
            sites.append(site)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait(10.0)
    yield sites[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(10.0)
    loop.close()


@contextmanager
def fetching_server(site: Site, folder: Path, **settings: object) -> Iterator[LiveServer]:
    """A server that believes the site's authority, which is written to `folder`."""
    file = folder / "ca.pem"
    site.authority.cert_pem.write_to_path(str(file))
    before = f"from tests.service.fetching import public_internet\npublic_internet.lead_to({site.port}, {str(file)!r})"
    limits = {"url_hosts": f"{HOST},{PRIVATE_HOST}", "url_max_bytes": 256 * KIB}
    with live_server(REPOSITORY, before, url_fetch="allowlist", **limits, **settings) as server:
        yield server
