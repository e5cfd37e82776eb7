"""A service in the place of the engine: the same rows, the service's own limits, patience, an end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from service.cli import main
from tests.service.bulk.test_embed_files import EXPECTED, embed_files, make_media
from tests.service.live_server import LiveServer


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_service_gives_the_rows_that_the_engine_here_gives(tmp_path: Path, server: LiveServer, scheme: str) -> None:
    url = server.url if scheme == "http" else f"grpc://{server.grpc_address}"
    make_media(tmp_path / "media")
    (tmp_path / "media" / "l_too_many_bytes.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(9 << 20))
    assert main(["embed-files", str(tmp_path / "media"), "--out", str(tmp_path / "served"), "--server", url]) == 0
    assert embed_files(tmp_path / "media", tmp_path / "here") == 0
    served, here = (
        {row["id"]: row for row in pq.read_table(tmp_path / name).to_pylist()} for name in ("served", "here")
    )
    assert served["l_too_many_bytes.png"]["error_code"] == "body_too_large"
    for name, (modality, code) in EXPECTED.items():
        if code in ("image_too_large", "audio_too_long"):  # limits of the process here; the service has larger ones
            assert served[name]["vector"] is not None
            continue
        vectors = [np.asarray(rows[name].pop("vector") or [], np.float32) for rows in (served, here)]
        np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)
        assert served[name] == here[name]
        assert (served[name]["modality"], served[name]["error_code"]) == (modality, code)


@pytest.mark.parametrize(("url", "code"), [("http://127.0.0.1:9", 1), ("ftp://host", 2)])
def test_no_service_at_the_address_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, code: int
) -> None:
    (tmp_path / "a.txt").write_text("a cow")
    assert main(["embed-files", str(tmp_path / "a.txt"), "--out", str(tmp_path / "out"), "--server", url]) == code
    complaint = capsys.readouterr().err
    assert complaint.startswith("onepeace: ")
    assert complaint.count("\n") == 1
