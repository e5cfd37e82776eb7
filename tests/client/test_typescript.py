"""The TypeScript types: what they let pass and what not, and the example against a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from service.app import api_document
from tests.client.scripted_server import Answer, problem, scripted_server
from tests.service.live_server import LiveServer

ROOT = Path(__file__).parents[2]
TYPESCRIPT = ROOT / "client" / "typescript"
MODULES = TYPESCRIPT / "node_modules"
README = (TYPESCRIPT / "README.md").read_text(encoding="utf-8")
(SNIPPET,) = re.findall(r"^```ts\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SHOWN = re.search(r"^\$ npm ci .*\n((?:[^`].*\n)+)", README, re.MULTILINE)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
OUR_FAULTS = ("EUSAGE", "EINTEGRITY")  # the lock file does not fit, or not the packages

WRONG = """
import createClient from "openapi-fetch";
import type { components, paths } from "./onepeace.d.ts";
type Json = "application/json" | "application/problem+json";
const client = createClient<paths, Json>({ baseUrl: "" });
const good = await client.POST("/embed", { body: { inputs: [{ text: "a cow" }] } });
client.POST("/embeds", { body: { inputs: [] } }); // wrong: no such path
client.GET("/embed"); // wrong: no such method
client.POST("/embed", {}); // wrong: no body
client.POST("/embed", { body: { inputs: [{ txt: "a cow" }] } }); // wrong: no such item
client.POST("/embed", { body: { inputs: [], on_error: "ignore" } }); // wrong: no such choice
client.POST("/ground", { body: { image: new Blob() } }); // wrong: no phrase
client.POST("/ground", { body: { image: "", phrase: ["a cow"] } }); // wrong: base64 in a form
if (good.data) good.data.data[0]?.embedding; // wrong: it may have failed
if (good.error) good.error.code === "queue_fool"; // wrong: no such code
if (good.error?.code === "queue_full") good.error.status === 422; // wrong: its status is 429
const info = (await client.GET("/info")).data;
info?.limits.max_itms; // wrong: no such limit
info?.models["text"]?.fingerprint.length;
const width = (note: components["schemas"]["EmbedDatum"]["input"]) => note.width; // wrong: it may be a text's
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the folder beside the installed packages. Packages are fetched only where they are not there yet."""
    for tool in ("node", "npm", "make"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    command = ["make", "--no-print-directory", "client/typescript/node_modules/.package-lock.json"]
    environment = {**os.environ, "npm_config_fetch_retries": "0", "npm_config_fetch_timeout": "30000"}
    try:
        made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("npm ci took more than 120 s")
    assert not any(fault in made.stderr for fault in OUR_FAULTS), made.stderr
    if made.returncode != 0:
        said = [line.removeprefix("npm error ") for line in made.stderr.splitlines() if line.startswith("npm error ")]
        pytest.skip(f"npm ci failed: {'; '.join(said[:4])}")
    folder = tmp_path_factory.mktemp("typescript")
    for name in ("package.json", "tsconfig.json", "onepeace.d.ts", "example.ts"):
        shutil.copy(TYPESCRIPT / name, folder)
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "readme.ts").write_text(SNIPPET, encoding="utf-8")
    (folder / "wrong.ts").write_text(WRONG, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def compiled(workspace: Path) -> Path:
    """The example and the README's code as JavaScript."""
    result = compile_strictly(workspace, "example.ts", "readme.ts")
    assert result.returncode == 0, result.stdout
    return workspace / "build"


def compile_strictly(workspace: Path, *files: str) -> subprocess.CompletedProcess[str]:
    own = {"extends": "./tsconfig.json", "files": files}
    (workspace / "own.json").write_text(json.dumps(own), encoding="utf-8")
    command = [MODULES / ".bin" / "tsc", "--project", "own.json", "--strict", "--pretty", "false"]
    return subprocess.run(command, cwd=workspace, capture_output=True, text=True, timeout=120)


def run(script: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["node", str(script), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_the_types_are_those_of_the_service(workspace: Path) -> None:
    document, made = workspace / "openapi.json", workspace / "made.d.ts"
    document.write_text(json.dumps(api_document()), encoding="utf-8")
    subprocess.run(["node", "generate.mjs", document, made], cwd=TYPESCRIPT, check=True, timeout=60)
    committed = (TYPESCRIPT / "onepeace.d.ts").read_text(encoding="utf-8")
    assert made.read_text(encoding="utf-8") == committed, "run `make typescript`"


def test_wrong_uses_are_refused_and_no_others(workspace: Path) -> None:
    result = compile_strictly(workspace, "wrong.ts")
    complained = {int(line) for line in re.findall(r"^wrong\.ts\((\d+),", result.stdout, re.MULTILINE)}
    lines = enumerate(WRONG.splitlines(), start=1)
    assert complained == {number for number, line in lines if "// wrong" in line}, result.stdout
    assert result.stdout.count("error TS") == result.stdout.count("\nwrong.ts") + 1


def test_the_example_prints_what_the_readme_shows(compiled: Path, default_server: LiveServer) -> None:
    result = run(compiled / "example.js", default_server.url, ROOT / "examples" / "cow.jpg", "cow")
    assert result.returncode == 0, result.stderr
    assert SHOWN is not None
    assert NUMBER.sub("#", result.stdout) == NUMBER.sub("#", SHOWN[1])
    printed = [float(number) for number in NUMBER.findall(result.stdout)]
    assert printed == pytest.approx([float(number) for number in NUMBER.findall(SHOWN[1])], rel=2e-3, abs=2e-3)


def test_the_readmes_code_prints_what_it_shows(compiled: Path, default_server: LiveServer) -> None:
    script = compiled / "readme.js"
    script.write_text(script.read_text().replace("http://localhost:8000", default_server.url))
    assert run(script).stdout == "128\n"


def test_the_example_explains_a_problem_by_its_code(compiled: Path, default_server: LiveServer) -> None:
    result = run(compiled / "example.js", default_server.url, ROOT / "Makefile", "cow")
    assert result.returncode == 1
    assert result.stderr.startswith("Makefile: choose another picture: not a picture of a known format")


def test_the_example_waits_as_it_is_told(compiled: Path) -> None:
    def busy_then_broken(number: int, body: bytes) -> Answer:
        return problem(429, "queue_full", Retry_After="1") if number == 0 else problem(500, "engine_failure")

    with scripted_server(busy_then_broken) as server:
        result = run(compiled / "example.js", server.url, ROOT / "examples" / "cow.jpg", "cow")
    first, second = server.posts
    assert second - first >= 1.0
    assert result.stderr == "no: again in 1 s\ncow.jpg: 500 engine_failure: no (request r1)\n"
