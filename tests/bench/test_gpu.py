"""The GPU benchmark at tiny size on the CPU: that it runs and what it writes."""

from __future__ import annotations

import json

import pytest
import torch

from bench.gpu.__main__ import HEADER, main
from bench.gpu.branch import write_branch
from bench.gpu.measurement import flops_of, lowest_cosine
from bench.gpu.runners import pytorch

CPU = torch.device("cpu")
TINY = ["--tiny", "--device", "cpu", "--seconds", "0.001"]


@pytest.mark.filterwarnings("ignore")  # of torch.compile's own parts
def test_a_branch_is_measured_in_every_way(tmp_path, capsys):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        code = main([*TINY, "--branches", "text", "--folder", str(tmp_path), "--json", str(tmp_path / "figures.json")])
    finally:
        torch.set_num_threads(threads)
    assert code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == HEADER
    assert len(lines) == 2 + 2 * 3 * 2  # precisions, runners, batch sizes
    figures = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert {(row["precision"], row["runner"]) for row in figures} == {
        (precision, runner) for precision in ("fp16", "bf16") for runner in ("pytorch", "compiled", "onnx")
    }
    assert all(row["cosine"] >= 0.9995 and row["share"] > 0 for row in figures)
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]


@pytest.mark.parametrize("name", ["image", "audio"])
def test_rows_fit_the_branch_and_work_grows_with_them(tmp_path, name):
    branch = write_branch(tmp_path, name, tiny=True)
    model = pytorch(branch, "fp32", CPU)
    with torch.inference_mode():
        work = [flops_of(model, branch.rows(rows, CPU)) for rows in (1, 2)]
        output = model(*branch.rows(2, CPU))
    assert work[1] == 2 * work[0] > 0
    assert output.shape == (2, 64)
    assert lowest_cosine(output, output) == pytest.approx(1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so():
    with pytest.raises(SystemExit, match="no CUDA device"):
        main([])
