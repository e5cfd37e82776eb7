"""Places of what was wrong: from those of one request to those of the caller's lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from onepeace_client.entries import EmbeddedPart
from onepeace_client.errors import InputProblem


def moved(problem: InputProblem, places: Sequence[str]) -> InputProblem:
    """The problem at `/inputs/i/…` of a request, at `places[i]` of the caller's lists."""
    steps = problem.pointer.split("/", 3)
    if len(steps) < 3 or steps[1] != "inputs" or not steps[2].isdecimal() or int(steps[2]) >= len(places):
        return problem
    return replace(problem, pointer="/".join((places[int(steps[2])], *steps[3:])))


def later(problem: InputProblem, prefix: str, start: int) -> InputProblem:
    """The problem at `prefix` + i of a request whose first entry there was the caller's `start`-th."""
    index = problem.pointer.removeprefix(prefix)
    known = problem.pointer.startswith(prefix) and index.isdecimal()
    return replace(problem, pointer=f"{prefix}{int(index) + start}") if known else problem


def located(part: EmbeddedPart, indexes: Sequence[int]) -> EmbeddedPart:
    """A request's vectors, with errors by the places of its items in the caller's list."""
    places = [f"/inputs/{index}" for index in indexes]
    return replace(part, errors={indexes[row]: moved(problem, places) for row, problem in part.errors.items()})
