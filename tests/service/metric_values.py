"""What a running service's /metrics says."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families


def value(caller: httpx.Client, sample: str, **labels: str) -> float:
    """A sample's value; 0 where it is not there yet."""
    for family in text_string_to_metric_families(caller.get("/metrics").text):
        for found in family.samples:
            if found.name == sample and labels.items() <= found.labels.items():
                return float(found.value)
    return 0.0
