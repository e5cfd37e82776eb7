"""The client as a package: its wheel, its types, and nothing left open."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from onepeace_client import AsyncClient, Client
from tests.service.live_server import LiveServer

ROOT = Path(__file__).parents[2]


def test_the_wheel_has_code_types_and_messages(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(ROOT / "client")], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("onepeace_client-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = ROOT / "client" / "src" / "onepeace_client"
    sources = {f"onepeace_client/{path.relative_to(package).as_posix()}" for path in package.rglob("*.py*")}
    assert {name for name in sources if "__pycache__" not in name} | {"onepeace_client/py.typed"} <= names


def test_nothing_of_typescript_gets_into_the_packages(tmp_path: Path) -> None:
    client = tmp_path / "client"
    shutil.copytree(ROOT / "client", client, ignore=shutil.ignore_patterns("node_modules", "build", "*.egg-info"))
    module = client / "typescript" / "node_modules" / "left"
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    (module / "index.d.ts").touch()
    code = "from setuptools import build_meta as build; build.build_sdist('out'); build.build_wheel('out')"
    subprocess.run([sys.executable, "-c", code], cwd=client, check=True, capture_output=True)
    (wheel,), (source,) = client.glob("out/*.whl"), client.glob("out/*.tar.gz")
    with zipfile.ZipFile(wheel) as archive, tarfile.open(source) as files:
        names = archive.namelist() + files.getnames()
    assert any(name.endswith("onepeace_client/client.py") for name in names)
    assert not [name for name in names if "node_modules" in name or "typescript" in name or name.endswith(".ts")]


def test_rest_needs_neither_grpc_nor_pillow() -> None:
    code = (
        "import sys\n"
        "for name in ('grpc', 'google', 'PIL'): sys.modules[name] = None\n"
        "import onepeace_client as client\n"
        "client.Client('http://localhost:1').close()\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_messages_are_the_servers() -> None:
    ours = ROOT / "client" / "src" / "onepeace_client" / "generated"
    for name in ("onepeace_pb2.py", "onepeace_pb2.pyi"):
        assert (ours / name).read_bytes() == (ROOT / "service" / "rpc" / "generated" / name).read_bytes()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system tells no open files")
async def test_closed_clients_leave_nothing_open(server: LiveServer) -> None:
    async def use() -> None:
        with Client(server.url) as client:
            client.embed(["a", ROOT / "examples" / "cow.jpg"] * 100)
        async with AsyncClient(server.url) as concurrent:
            await concurrent.embed(["a", ROOT / "examples" / "cow.jpg"] * 100)

    await use()
    before = open_files()
    for _ in range(3):
        await use()
    assert open_files() <= before
