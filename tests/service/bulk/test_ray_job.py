"""The same job on a local Ray: it goes on where a job here stopped, and the table is the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from service.bulk.table import parts_of
from tests.service.bulk.test_embed_files import MODEL, embed_files, make_media


def test_ray_makes_the_missing_rows_and_the_table_is_that_of_the_job_here(tmp_path: Path) -> None:
    make_media(tmp_path / "media")
    out = tmp_path / "out"
    assert embed_files(tmp_path / "media", out, "--rows-per-part", "3") == 0
    here = pq.read_table(out).sort_by("row")
    kept, *lost = parts_of(out)
    for part in lost:
        part.unlink()
    kept_as_it_was, kept_rows = kept.stat(), pq.read_metadata(kept).num_rows  # a part may be closed before it is full
    (out / "_run-killed").mkdir()
    (out / "_run-killed" / "half.tmp").write_bytes(b"PAR1")
    command = [sys.executable, "-m", "service.cli", "embed-files", str(tmp_path / "media"), "--out", str(out), *MODEL]
    result = subprocess.run(
        [*command, "--ray", "--rows-per-part", "4"], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert f"{kept_rows} rows are done already" in result.stderr
    assert "11 of 11 rows" in result.stderr
    assert "5 failed" in result.stderr
    assert kept.stat() == kept_as_it_was
    assert len(parts_of(out)) > 2
    on_ray = pq.read_table(out).sort_by("row")
    assert on_ray.schema.equals(here.schema, check_metadata=True)
    assert on_ray.drop_columns("vector").equals(here.drop_columns("vector"))
    for ours, theirs in zip(on_ray["vector"].to_pylist(), here["vector"].to_pylist(), strict=True):
        np.testing.assert_allclose(np.asarray(ours or []), np.asarray(theirs or []), atol=1e-5)
    assert {path.name for path in out.iterdir()} == {"_job.json", "_files.jsonl", *(p.name for p in parts_of(out))}
