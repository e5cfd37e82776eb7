"""The experiments in seconds: nothing lost, nothing reset, right statuses, memory and descriptors back.

Bounds on time are wide here; `make reliability` has those that count.
"""

from __future__ import annotations

import pytest

from tests.load.experiment import broken, find_experiments

FAULTS = ("sigterm", "poison", "engine_death", "model_files", "full_disk")
TRAFFIC = ("overload", "slow_clients", "halted_bodies", "soak")


@pytest.mark.parametrize("name", [*FAULTS, *TRAFFIC])
def test_the_small_experiment_holds(name: str) -> None:
    assert broken(find_experiments()[name].run("small")) == []
