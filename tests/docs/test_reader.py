"""The reader notices what is wrong on a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.page import Page
from tests.docs.reader import Reader
from tests.service.live_server import LiveServer


def follow(folder: Path, server: LiveServer, text: str) -> list[str]:
    (folder / "page.md").write_text(text)
    return Reader(folder, server).follow(Page(str(folder / "page.md")))


@pytest.mark.parametrize(
    "text",
    [
        '```console\n$ echo \'{"a": 1.0004, "b": [1, 2], "c": "abc"}\'\n{"a": 1.0, "b": [1, …], "c": "ab…"}\n```\n',
        "```console\n$ echo \\\n    1\n1\n$ echo 2\n2\n```\n",
        "```sh\ntouch made\ntest -e made\n```\n",
        "```python\na = 1\nprint(a)  # 1\n```\n```python\nprint(a + 1)  # 2\n```\n",
        '```python\nprint(1)  # 1\nprint("some", "words")  # … in words\n```\n',
        "```go\nno example\n```\n",
    ],
)
def test_what_is_right_passes(text: str, tmp_path: Path, default_server: LiveServer) -> None:
    assert follow(tmp_path, default_server, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ echo 1\n2\n```\n",
        '```console\n$ echo \'{"a": 1, "b": 2}\'\n{"a": 1}\n```\n',
        "```console\n$ echo '[1, 2]'\n[1]\n```\n",
        "```console\n$ echo 1\n1\n$ echo 2\n3\n```\n",
        "```console\n$ curl -sf localhost:8000/nothing\n```\n",
        "```sh\nfalse | true\n```\n",
        "```python\nprint(1)  # 2\n```\n",
        "```python\nprint(1)  # 1\nprint(2)\n```\n",
        "```python\na = 1\n```\n",
        "```python\nprint(1)  # 1\nraise ValueError\n```\n",
        "```python\nprint(1)  # 1\n```\n```python\nprint(2)  # 3\n```\n",
        "```python\nimport warnings\nprint(1)  # 1\nwarnings.warn('old')\n```\n",
    ],
)
def test_what_is_wrong_is_told(text: str, tmp_path: Path, default_server: LiveServer) -> None:
    assert len(follow(tmp_path, default_server, text)) == 1
