"""Does in a folder what a page says, with a running server, and tells where the page was wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.comparison import parse_shown, same
from tests.docs.page import Command, Page, Program
from tests.service.live_server import LiveServer

LONGEST_S = 180.0
END = "--- end of an example ---"


def search_path() -> str:
    """Where commands are: first beside the interpreter of the tests."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@dataclass(frozen=True, slots=True)
class Reader:
    """Types into a shell, and runs Python, in `folder`, where `examples/`, `proto/` and `model_repository/` lie.

    `environment` is added to that of the tests.
    """

    folder: Path
    server: LiveServer
    environment: Mapping[str, str] = field(default_factory=dict)

    def follow(self, page: Page) -> list[str]:
        """Run all commands of a page, then all programs; what went otherwise than the page says."""
        return [*filter(None, map(self._type, page.commands())), *self._run(page.programs())]

    def _type(self, command: Command) -> str | None:
        done = self._do(["bash", "-o", "pipefail", "-c", self._located(command.line)])
        if done.returncode:
            return f"$ {command.line}\nended with code {done.returncode}: {done.stderr}"
        try:
            if command.answer:
                same(parse_shown(command.answer), json.loads(done.stdout))
        except (AssertionError, ValueError) as error:
            return f"$ {command.line}\nanswered {done.stdout}\n{error}"
        return None

    def _run(self, programs: list[Program]) -> list[str]:
        """One interpreter for all, as if they were typed one after the other."""
        code = "".join(f"{self._located(program.code)}\nprint({END!r}, flush=True)\n" for program in programs)
        done = self._do([sys.executable, "-W", "error", "-c", code])
        outputs = done.stdout.split(f"{END}\n")
        wrong = [
            f"{program.code}\nprinted {output}"
            for program, output in zip(programs, outputs, strict=False)
            if not _prints(program, output.splitlines())
        ]
        return [*wrong, done.stderr] if done.returncode else wrong

    def _located(self, text: str) -> str:
        here = text.replace("localhost:8000", f"127.0.0.1:{self.server.port}")
        return here.replace("localhost:50051", self.server.grpc_address)

    def _do(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": search_path(), **self.environment}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST_S
        )


def _prints(program: Program, lines: list[str]) -> bool:
    """Whether the lines are those of the page, which may end in words: `… where the time went`."""
    shown = list(program.printed)
    if shown and shown[-1].startswith("…"):
        return len(lines) >= len(shown) and lines[: len(shown) - 1] == shown[:-1]
    return bool(shown) and lines == shown
