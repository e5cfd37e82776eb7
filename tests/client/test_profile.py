"""The sums of requests, and the table of them."""

from __future__ import annotations

import re

from onepeace_client.profile import Recorder


def test_shares_make_the_whole_also_where_stages_overlap() -> None:
    recorder = Recorder()
    recorder.add(seconds=1.0, sent=1, received=1, timing="decode;dur=900, infer;dur=600", again=False)
    profile = recorder.profile()
    assert profile.elsewhere_s == 0.0
    shares = dict(re.findall(r"^(\w+) .* (\d+)%$", str(profile), re.MULTILINE))
    assert shares == {"read": "0", "fetch": "0", "decode": "60", "queue": "0", "infer": "40", "elsewhere": "0"}
