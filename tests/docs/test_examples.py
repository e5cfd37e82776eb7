"""The examples of all pages, run against a real server on a real socket: one that is wrong fails here."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.docs.page import PAGES, ROOT, Page
from tests.docs.reader import Reader, search_path
from tests.service.bulk.test_sources import write_tar
from tests.service.live_server import LiveServer
from tests.service.media_files import clip, picture

BULK = Page("docs/bulk.md")
FOREIGN_TOOLS = {"buf", "curl"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What examples call by name."""
    for name in ("examples", "proto", "model_repository"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.fixture
def collection(folder: Path) -> Path:
    """What the page on bulk embedding calls photos, files, captions, shards."""
    (folder / "photos" / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.jpg", "b.png", "deep/c.jpg")):
        form = "JPEG" if name.endswith("jpg") else "PNG"
        (folder / "photos" / name).write_bytes(picture(number, form=form))
    (folder / "clips").mkdir()
    (folder / "clips" / "a.wav").write_bytes(clip(1))
    (folder / "files.tsv").write_text("key\tpath\none\tphotos/a.jpg\ntwo\tclips/a.wav\n")
    pq.write_table(pa.table({"caption": ["a cow", "a dog"]}), folder / "captions.parquet")
    for number in range(13):
        write_tar(folder / f"shard-{number:03}.tar", {f"{number}.png": picture(number), f"{number}.json": b"{}"})
    return folder


@pytest.fixture
def ray_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a Ray cluster of one machine."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    yield cluster.address
    cluster.shutdown()


@pytest.mark.parametrize("page", [page for page in PAGES if page != BULK], ids=lambda page: page.name)
def test_examples_do_what_the_page_shows(page: Page, folder: Path, default_server: LiveServer) -> None:
    typed = {command.line.split()[0] for command in page.commands()}
    for tool in sorted(typed & FOREIGN_TOOLS):
        if shutil.which(tool, path=search_path()) is None:
            pytest.skip(f"{tool} is not installed")
    wrong = Reader(folder, default_server).follow(page)
    assert not wrong, "\n\n".join(wrong)


def test_examples_of_bulk_embedding_write_rows_without_errors(
    collection: Path, default_server: LiveServer, ray_cluster: str
) -> None:
    wrong = Reader(collection, default_server, {"RAY_ADDRESS": ray_cluster}).follow(BULK)
    assert not wrong, "\n\n".join(wrong)
    rows = {}
    for out in re.findall(r"--out (\S+)", "\n".join(command.line for command in BULK.commands())):
        table = pq.read_table(collection / out)
        assert table["error"].null_count == len(table), table["error"]
        rows[out] = len(table)
    assert rows == {
        "vectors": 3,
        "photos.parquet": 2,
        "of_files": 2,
        "of_captions": 2,
        "of_shards": 13,
        "of_sounds": 1,
        "by_http": 3,
        "by_grpc": 3,
        "by_ray": 3,
        "by_cluster": 3,
    }
