"""The fenced blocks of a Markdown page, and the examples in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:[^$].*\n)*)", re.MULTILINE)
PRINTED = re.compile(r"^ *print\(.*\)  # (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Command:
    """What to type into a shell, and the answer that the page shows, if it shows one."""

    line: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """Python, and what the page says that it prints: the comment behind each `print(…)`."""

    code: str
    printed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A page by its path in the repository.

    Its blocks: `console` has commands behind `$` with their answers, `sh` a command on each line, `python` programs of
    which a later one knows the names of the earlier ones. Other blocks are not run.
    """

    name: str

    def text(self) -> str:
        return (ROOT / self.name).read_text(encoding="utf-8")

    def blocks(self, *languages: str) -> list[str]:
        """The contents of the blocks in these languages."""
        return [content for language, content in BLOCK.findall(self.text()) if language in languages]

    def languages(self) -> set[str]:
        return {language for language, _ in BLOCK.findall(self.text())}

    def commands(self) -> list[Command]:
        """All commands, in order."""
        found: list[Command] = []
        for language, content in BLOCK.findall(self.text()):
            if language == "console":
                found += (Command(line, answer.strip()) for line, answer in TYPED.findall(content))
            elif language == "sh":
                found += (Command(line) for line in content.splitlines())
        return found

    def programs(self) -> list[Program]:
        """All programs, in order."""
        return [Program(code, tuple(PRINTED.findall(code))) for code in self.blocks("python")]


PAGES = tuple(
    map(Page, ("README.md", "client/README.md", "docs/api.md", "docs/bulk.md", "docs/grpc.md", "docs/openai.md"))
)
"""Those whose examples are run."""
