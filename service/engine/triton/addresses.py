"""Names of servers → addresses, so that every server behind a DNS name is known by itself."""

from __future__ import annotations

import asyncio
import re
import socket

from service.settings import ENV_PREFIX, SettingsError

Place = tuple[str, int]
"""A host's name or address, and a port."""
_URL = re.compile(
    r"(?:grpc://)?(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?)):(?P<port>[0-9]{1,5})"
)


def parse_urls(text: str) -> tuple[Place, ...]:
    """Read `host:port` or `grpc://host:port`, several with commas between.

    Raises:
        SettingsError: one is of another form; it names the setting.
    """
    places = []
    for part in text.split(","):
        match = _URL.fullmatch(part.strip())
        if match is None or not 0 < int(match["port"]) < 65536:
            raise SettingsError(
                f"{ENV_PREFIX}TRITON_URL (--triton-url): '{part.strip()}' is not of the form host:port; "
                "several have commas between"
            )
        places.append((match["v6"] or match["host"], int(match["port"])))
    return tuple(places)


async def resolve(place: Place) -> set[str]:
    """All addresses of one place, as `1.2.3.4:8001` or `[::1]:8001`.

    Raises:
        OSError: the name can't be looked up.
    """
    host, port = place
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(str(error)) from error
    return {_join(str(address[0]), port) for *_, address in answers}


def _join(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
