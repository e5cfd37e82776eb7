"""Plans are built once, held against the ONNX model, and left out of other weights' way."""

from __future__ import annotations

import shutil

import pytest

from export.target import PlanOptions, TargetOptions
from export.tensorrt.binding import PlanError
from export.tensorrt.graph import write_standard_graph
from export.tensorrt.plan_file import PlanKey, plan_digest
from export.tensorrt.plan_shop import PlanShop, PlansMissing, verify_plans
from service.repository import read_model
from tests.repository import REPOSITORY


@pytest.fixture(params=["text", "image"])
def model(request, tmp_path):
    shutil.copytree(REPOSITORY / request.param, tmp_path / request.param)
    return read_model(tmp_path / request.param)


def visit(model, tmp_path, **plans):
    options = TargetOptions("triton-tensorrt", plans=PlanOptions(timing_cache=tmp_path / "timings", **plans))
    with PlanShop(options) as shop:
        return shop.plans_for(model, write_standard_graph(model))


def plan_files(model):
    return sorted(file.name for file in (model.path / "1").glob("*.plan"))


def test_a_plan_is_built_and_agrees_with_its_model(model, tmp_path, tensorrt):
    plans = visit(model, tmp_path)
    name = f"sm90-trt10.3.0-{plan_digest(model)}.plan"
    assert (plans.tensorrt_version, plans.files) == ("10.3.0", {"9.0": name})
    assert "cosine 1.000000" in plans.note
    assert (tmp_path / "timings" / "sm90-trt10.3.0.timing").is_file()
    (verdict,) = verify_plans(tmp_path)
    assert verdict.passed


def test_a_plan_is_not_built_twice(model, tmp_path, tensorrt):
    visit(model, tmp_path)
    visit(model, tmp_path)
    assert len(tensorrt.Builder.configs) == 1


def test_a_plan_that_is_off_is_refused(model, tmp_path, tensorrt, monkeypatch):
    monkeypatch.setattr(tensorrt.Device, "error", 0.02)
    with pytest.raises(PlanError, match="differs"):
        visit(model, tmp_path)
    assert plan_files(model) == []
    assert visit(model, tmp_path, verify=False).files


def test_plans_of_other_machines_are_kept_and_those_of_other_weights_removed(model, tmp_path, tensorrt):
    digest = plan_digest(model)
    other_gpu, other_version = PlanKey("10.3.0", "8.9", digest), PlanKey("11.4.0.106", "9.0", digest)
    for name in (other_gpu.file_name, other_version.file_name, f"sm90-trt10.3.0-{'0' * 12}.plan"):
        (model.path / "1" / name).write_bytes(b"")
    plans = visit(model, tmp_path)
    assert set(plans.files) == {"8.9", "9.0"}
    assert len(plan_files(model)) == 3
    newer = visit(model, tmp_path, build=False)
    assert (newer.tensorrt_version, newer.files) == ("11.4.0.106", {"9.0": other_version.file_name})
    assert set(visit(model, tmp_path, build=False, tensorrt_version="10.3.0").files) == {"8.9", "9.0"}


def test_without_tensorrt_there_is_no_plan(model, tmp_path, no_tensorrt):
    assert visit(model, tmp_path) is None
    with pytest.raises(PlansMissing, match="tensorrt"):
        visit(model, tmp_path, required=True)


def test_a_plan_that_lies_there_needs_no_tensorrt(model, tmp_path, no_tensorrt):
    name = PlanKey("10.3.0", "9.0", plan_digest(model)).file_name
    (model.path / "1" / name).write_bytes(b"")
    assert visit(model, tmp_path).files == {"9.0": name}


def test_verify_says_which_plan_is_missing(model, tmp_path, tensorrt):
    with pytest.raises(PlansMissing, match=r"sm90-trt10\.3\.0"):
        list(verify_plans(tmp_path))
