"""Ray sends no reports of its use, unless someone asked for them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

QUESTION = """
from service.bulk.ray_library import load_ray
load_ray()
from ray._common.usage.usage_lib import usage_stats_enabled
print(usage_stats_enabled())
"""


@pytest.mark.parametrize(("switch", "reports"), [({}, "False"), ({"RAY_USAGE_STATS_ENABLED": "1"}, "True")])
def test_reports_are_off_unless_the_environment_asks_for_them(switch: dict[str, str], reports: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "RAY_USAGE_STATS_ENABLED"} | switch
    result = subprocess.run(
        [sys.executable, "-c", QUESTION], env=environment, capture_output=True, text=True, timeout=120
    )
    assert result.stdout.strip() == reports, result.stderr
