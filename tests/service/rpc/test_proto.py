"""The proto by buf's rules, and the committed code that is made of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.rpc.conftest import FILE, PROTO

ROOT = PROTO.parent
COPIES = [
    path for path in (ROOT / "service/rpc/generated", ROOT / "client/src/onepeace_client/generated") if path.is_dir()
]
BUF = shutil.which("buf", path=str(Path(sys.executable).parent)) or shutil.which("buf")


@pytest.mark.skipif(BUF is None, reason="needs buf, of the extra `dev`")
def test_buf_finds_nothing() -> None:
    result = subprocess.run([str(BUF), "lint"], cwd=PROTO, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.skipif(BUF is None, reason="needs buf, of the extra `dev`")
def test_buf_looks_at_the_file_at_all(tmp_path: Path) -> None:
    shutil.copytree(PROTO, tmp_path / "proto")
    broken = tmp_path / "proto" / FILE
    broken.write_text(broken.read_text().replace("service OnePeaceService", "service OnePeace"))
    result = subprocess.run([str(BUF), "lint"], cwd=tmp_path / "proto", capture_output=True, text=True)
    assert "should be suffixed with" in result.stdout


@pytest.mark.parametrize("copy", COPIES, ids=lambda path: path.relative_to(ROOT).parts[0])
def test_the_committed_code_is_what_the_proto_gives(copy: Path, tmp_path: Path) -> None:
    options = [f"-I{PROTO}", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, FILE], check=True)
    for name in ("onepeace_pb2.py", "onepeace_pb2.pyi"):
        assert (copy / name).read_text() == (tmp_path / "onepeace/v1" / name).read_text(), "run `make proto`"
