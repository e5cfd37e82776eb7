"""What the builder asks of TensorRT."""

from __future__ import annotations

import pytest

from export.profiles import Profile, bucket_profiles
from export.tensorrt.binding import PlanError, TensorRTMissing, load_tensorrt, start
from export.tensorrt.builder import PlanJob, build_plan
from service.repository import read_repository
from tests.export.tensorrt import stand_in
from tests.repository import REPOSITORY

TEXT = read_repository(REPOSITORY)["text"]
PROFILES = bucket_profiles(TEXT)


@pytest.fixture
def configs(monkeypatch):
    monkeypatch.setattr(stand_in.Builder, "configs", [])
    return stand_in.Builder.configs


def test_there_is_a_profile_for_each_bucket(configs):
    build_plan(stand_in, PlanJob(TEXT.onnx_path, PROFILES, "fp16", workspace_gib=2))
    (config,) = configs
    assert [profile["tokens"][2] for profile in config.profiles] == [(64, bound) for bound in TEXT.length_buckets]
    assert config.pools == {stand_in.MemoryPoolType.WORKSPACE: 2 * 2**30}


def test_float32_is_not_shortened(configs):
    for precision in ("fp32", "fp16", "bf16"):
        build_plan(stand_in, PlanJob(TEXT.onnx_path, PROFILES, precision))
    assert [stand_in.BuilderFlag.TF32 in config.flags for config in configs] == [False, True, True]


def test_timings_are_kept_for_the_next_build(configs, tmp_path):
    cache = tmp_path / "folder" / "sm90.timing"
    for _ in range(2):
        build_plan(stand_in, PlanJob(TEXT.onnx_path, PROFILES, "fp16", cache))
    assert cache.read_bytes() == b"++"
    assert [file.name for file in cache.parent.iterdir()] == [cache.name]


def test_timings_of_another_gpu_are_left_out(configs, tmp_path, caplog):
    cache = tmp_path / "sm90.timing"
    cache.write_bytes(b"another GPU")
    build_plan(stand_in, PlanJob(TEXT.onnx_path, PROFILES, "fp16", cache))
    assert cache.read_bytes() == b"+"
    assert "left out" in caplog.text


def test_what_tensorrt_can_not_read_is_said(tmp_path):
    (tmp_path / "standard.onnx").write_bytes(b"")
    with pytest.raises(PlanError, match="the file is empty"):
        build_plan(stand_in, PlanJob(tmp_path / "standard.onnx", PROFILES, "fp16"))


def test_a_profile_that_contradicts_itself_is_refused():
    wrong = Profile({"tokens": (1, 9)}, {"tokens": (1, 8)}, {"tokens": (1, 8)})
    with pytest.raises(PlanError, match="tokens"):
        build_plan(stand_in, PlanJob(TEXT.onnx_path, (wrong,), "fp16"))


def test_a_tensorrt_that_can_not_start_is_said():
    def factory(log):
        raise TypeError("pybind11::init(): factory function returned nullptr")

    with pytest.raises(PlanError, match="can't start"):
        start(factory, None)


@pytest.mark.parametrize(("error", "message"), [(ModuleNotFoundError, "pip install"), (ImportError, "can't be loaded")])
def test_a_missing_package_is_said(monkeypatch, error, message):
    def fail(name):
        raise error("no libnvinfer.so.10")

    monkeypatch.setattr("export.tensorrt.binding.import_module", fail)
    with pytest.raises(TensorRTMissing, match=message):
        load_tensorrt()
