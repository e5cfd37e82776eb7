"""Imports between the rooms of the service point inwards: a room is a package or a module right under `service`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import service

FOLDER = Path(service.__path__[0])
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"cli"}),
    frozenset({"server"}),
    frozenset({"app", "http_protocol"}),
    frozenset({"middleware"}),
    frozenset({"routes", "rpc", "bulk"}),
    frozenset({"handlers"}),
    frozenset({"runtime"}),
    frozenset({"wire"}),
    frozenset({"usecases"}),
    frozenset({"pipeline"}),
    frozenset({"preprocessing", "fetching"}),
    frozenset({"decoding", "batching"}),
    frozenset({"engine", "media"}),
)
"""The way of a request, outermost first. Each room imports only what is further in, or stands in no layer."""
DEPTHS = {room: depth for depth, layer in enumerate(LAYERS) for room in layer}
OUTER = frozenset().union(*LAYERS[: DEPTHS["pipeline"] + 1])
"""What knows of requests: no room that stands in no layer imports it."""


def room_of(path: Path) -> str:
    return path.relative_to(FOLDER).with_suffix("").parts[0]


def imported_rooms(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports are not looked at"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("service."))


def edges() -> set[tuple[str, str]]:
    found = {
        (room_of(path), room)
        for path in FOLDER.rglob("*.py")
        for room in imported_rooms(path.read_text(encoding="utf-8"))
    }
    return {(importer, imported) for importer, imported in found if importer != imported}


def test_every_layer_stands_in_the_folder_and_is_reached() -> None:
    rooms = {room_of(path) for path in FOLDER.rglob("*.py")}
    assert DEPTHS.keys() <= rooms
    assert DEPTHS.keys() - {"cli"} <= {imported for _, imported in edges()}


def test_a_room_imports_only_what_is_further_in() -> None:
    outward = {
        (importer, imported)
        for importer, imported in edges()
        if importer in DEPTHS and imported in DEPTHS and DEPTHS[importer] >= DEPTHS[imported]
    }
    assert not outward


def test_what_every_room_uses_knows_nothing_of_requests() -> None:
    assert not {(importer, imported) for importer, imported in edges() if importer not in DEPTHS and imported in OUTER}


def test_imports_within_functions_and_of_modules_are_seen() -> None:
    source = "import numpy\ndef late():\n    from service import wire\n    import service.rpc.call, service.cli\n"
    assert set(imported_rooms(source)) == {"wire", "rpc", "cli"}


def test_inner_rooms_know_no_wire() -> None:
    inner = {room for layer in LAYERS[DEPTHS["usecases"] :] for room in layer}
    wires = {"starlette", "fastapi", "uvicorn", "grpc"}
    found = set()
    for path in FOLDER.rglob("*.py"):
        if room_of(path) in inner and "triton" not in path.parts:  # a client of Triton speaks its wire
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
            names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
            found |= {(str(path), name) for name in names if name.split(".")[0] in wires}
    assert not found
