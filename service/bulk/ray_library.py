"""Ray, imported where it is needed only, and silent."""

from __future__ import annotations

import os
from typing import Any

USAGE_SWITCH = "RAY_USAGE_STATS_ENABLED"


def load_ray() -> Any:
    """The module `ray`, with `ray.data`.

    Ray reports its use to its makers (https://docs.ray.io/en/latest/cluster/usage-stats.html), which the environment
    alone decides: `ray.init` has no argument for it. So it is switched off there before the import, unless the
    environment already says otherwise.
    """
    os.environ.setdefault(USAGE_SWITCH, "0")
    import ray
    import ray.data

    return ray
