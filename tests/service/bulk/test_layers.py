"""Inner modules don't know the command line."""

from __future__ import annotations

import ast
from pathlib import Path

import service.bulk

COMMAND_LINE = {"argparse", "service.cli", "service.bulk.cli"}


def test_only_the_command_line_knows_argparse() -> None:
    folder = Path(service.bulk.__path__[0])
    modules = [path for path in folder.rglob("*.py") if path != folder / "cli.py"]
    assert len(modules) > 20
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not COMMAND_LINE & set(names), path
