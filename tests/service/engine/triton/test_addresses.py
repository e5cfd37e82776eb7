"""Names of servers, read and looked up."""

from __future__ import annotations

import pytest

from service.engine.triton.addresses import parse_urls, resolve
from service.settings import SettingsError


def test_several_places_of_every_form_are_read() -> None:
    text = "triton:8001, grpc://10.0.0.7:9000,[::1]:8001"
    assert parse_urls(text) == (("triton", 8001), ("10.0.0.7", 9000), ("::1", 8001))


@pytest.mark.parametrize(
    "text", ["triton", "http://triton:8000", "triton:0", "triton:70000", "triton:8001,", ":8001", "a..b:8001"]
)
def test_another_form_is_refused_by_the_setting_s_name(text: str) -> None:
    with pytest.raises(SettingsError, match="ONEPEACE_TRITON_URL"):
        parse_urls(text)


async def test_every_address_of_a_name_is_found() -> None:
    assert {"127.0.0.1:8001"} <= await resolve(("localhost", 8001))
    assert await resolve(("127.0.0.2", 8002)) == {"127.0.0.2:8002"}
    assert await resolve(("::1", 8001)) == {"[::1]:8001"}


@pytest.mark.parametrize("name", ["no-such-host.invalid", "x" * 70 + ".invalid"])
async def test_a_name_that_can_t_be_looked_up_is_an_error_of_one_kind(name: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011 (its text is the system's)
        await resolve((name, 8001))
