"""The project's Dockerfiles, read as far as the tests need: stages, and their instructions in order."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))


@dataclass(slots=True)
class Stage:
    """What stands between one FROM and the next."""

    base: str
    name: str
    parent: Stage | None
    steps: list[tuple[str, str]] = field(default_factory=list)

    def own(self, instruction: str) -> list[str]:
        """The values that this stage itself gives an instruction."""
        return [value for name, value in self.steps if name == instruction]

    def all(self, instruction: str) -> list[str]:
        """The same, after those of the stages that it is built from."""
        return [*(self.parent.all(instruction) if self.parent else []), *self.own(instruction)]

    def last(self, instruction: str) -> str | None:
        """The value that holds in the image."""
        values = self.all(instruction)
        return values[-1] if values else None

    def environment(self) -> dict[str, str]:
        """All of ENV."""
        return dict(pair.split("=", 1) for value in self.all("ENV") for pair in shlex.split(value))

    def command(self) -> list[str]:
        """ENTRYPOINT and CMD, both as JSON arrays."""
        return [word for name in ("ENTRYPOINT", "CMD") for word in json.loads(self.last(name) or "[]")]

    def copied(self) -> list[str]:
        """Paths of the build context that this stage itself copies."""
        return [path for value in self.own("COPY") if "--from=" not in value for path in value.split()[:-1]]


def read_dockerfile(path: Path, **arguments: str) -> list[Stage]:
    """The stages of a Dockerfile; the last is the image. `arguments` are build arguments before the first FROM."""
    stages: list[Stage] = []
    for instruction, value in _instructions(path.read_text(encoding="utf-8")):
        if not stages and instruction == "ARG":
            name, _, default = value.partition("=")
            arguments.setdefault(name, default)
        elif instruction == "FROM":
            spelled = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], value)
            base, _, name = spelled.partition(" AS ")
            stages.append(Stage(base, name, next((stage for stage in stages if stage.name == base), None)))
        else:
            stages[-1].steps.append((instruction, value))
    return stages


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [(name, value.strip()) for name, _, value in (line.partition(" ") for line in whole)]
