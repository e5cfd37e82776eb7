"""The configuration that Triton gets."""

from __future__ import annotations

import dataclasses

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from export.profiles import bucket_profiles, largest_batch
from export.target import TargetOptions
from export.triton.targets import onnx_config, plan_config
from service.repository import read_repository
from tests.repository import REPOSITORY

MODELS = read_repository(REPOSITORY)
PLANS = {"8.9": "sm89-trt10.3.0-0123456789ab.plan", "9.0": "sm90-trt10.3.0-0123456789ab.plan"}
TARGETS = ("cuda", "tensorrt", "cpu", "plan")


def config_of(model, target, **options):
    if target == "plan":
        return plan_config(model, PLANS, "10.3.0", TargetOptions("triton-tensorrt", **options))
    return onnx_config(model, TargetOptions("triton-onnx", target, **options))


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


@pytest.fixture(params=TARGETS)
def target(request):
    return request.param


def test_it_survives_triton_s_own_parser(model, target):
    config = config_of(model, target)
    parsed = text_format.Parse(text_format.MessageToString(config), model_config_pb2.ModelConfig())
    assert parsed == config
    assert "policy" not in str(config)


def test_triton_waits_for_rows_and_does_nothing_else_to_the_queue(model, target):
    batching = config_of(model, target).dynamic_batching
    assert [(field.name, value) for field, value in batching.ListFields()] == [("max_queue_delay_microseconds", 500)]
    assert config_of(model, target, queue_delay_us=0).dynamic_batching.max_queue_delay_microseconds == 0
    assert config_of(model, target, queue_delay_us=0).HasField("dynamic_batching")


def test_tensors_batches_and_buckets_stay(model, target):
    config, native = config_of(model, target), model.config
    assert (config.input, config.output, config.max_batch_size) == (native.input, native.output, native.max_batch_size)
    for name in ("fingerprint", "length_buckets", "max_batch_positions"):
        assert (name in config.parameters) == (name in native.parameters)
        if name in native.parameters:
            assert config.parameters[name] == native.parameters[name]


def test_answers_are_not_cached(model, target):
    config = config_of(model, target)
    assert config.HasField("response_cache")
    assert not config.response_cache.enable


def test_instances_are_counted_for_each_model(target):
    for name, count in (("text", 3), ("image", 1)):
        (group,) = config_of(MODELS[name], target, instances={"text": 3}).instance_group
        assert group.count == count
        assert group.kind == (model_config_pb2.ModelInstanceGroup.KIND_CPU if target == "cpu" else group.KIND_GPU)


def test_models_on_one_gpu_share_the_rate_limiter_s_resource(model, target):
    (group,) = config_of(model, target).instance_group
    resources = [(resource.name, resource.count) for resource in group.rate_limiter.resources]
    assert resources == ([] if target == "cpu" else [("gpu", 1)])


def test_every_bucket_is_warmed_alone_and_full(model, target):
    config = config_of(model, target)
    sizes = []
    for warmup in config.model_warmup:
        tensor = next((name for name in ("waveform", "tokens") if name in warmup.inputs), None)
        sizes.append((warmup.batch_size, warmup.inputs[tensor].dims[0] if tensor else 0))
    bounds = model.length_buckets or (0,)
    assert sizes == [(rows, bound) for bound in bounds for rows in sorted({1, largest_batch(model, bound)})]
    assert max(rows for rows, _ in sizes) == config.max_batch_size


def test_onnx_runtime_keeps_its_threads_and_all_its_optimisations(model):
    for target in ("cuda", "tensorrt", "cpu"):
        config = config_of(model, target, threads=2)
        assert (config.backend, config.platform) == ("onnxruntime", "onnxruntime_onnx")
        assert config.parameters["intra_op_thread_count"].string_value == "2"
        assert not config.optimization.HasField("graph")


def test_only_convolutions_are_searched_by_heuristic():
    found = {name: "cudnn_conv_algo_search" in config_of(model, "cuda").parameters for name, model in MODELS.items()}
    assert found == {name: name != "text" for name in MODELS}


def test_the_accelerator_gets_one_profile_over_all_shapes(model):
    config = config_of(model, "tensorrt", engine_cache="/cache", workspace_gib=2)
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    profiles, parameters = bucket_profiles(model), accelerator.parameters
    assert config.default_model_filename == "standard.onnx"
    assert parameters["precision_mode"] == "FP32"
    assert parameters["max_workspace_size_bytes"] == str(2 * 2**30)
    assert parameters["trt_engine_cache_path"] == parameters["trt_timing_cache_path"] == "/cache"
    for word, shapes in (("min", profiles[0].min), ("max", profiles[-1].max)):
        text = ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())
        assert parameters[f"trt_profile_{word}_shapes"] == text


def test_engines_of_two_exports_do_not_meet_in_the_cache():
    prefixes = {
        config_of(model, "tensorrt")
        .optimization.execution_accelerators.gpu_execution_accelerator[0]
        .parameters["trt_engine_cache_prefix"]
        for model in MODELS.values()
    }
    assert len(prefixes) == len(MODELS)
    assert f"text-{MODELS['text'].card.fingerprint[:12]}" in prefixes


def test_a_plan_is_chosen_by_the_gpu_and_uses_all_its_profiles(model):
    config = config_of(model, "plan")
    assert (config.backend, config.platform) == ("tensorrt", "tensorrt_plan")
    assert dict(config.cc_model_filenames) == PLANS
    assert list(config.instance_group[0].profile) == [str(n) for n in range(len(bucket_profiles(model)))]
    assert config.parameters["tensorrt_version"].string_value == "10.3.0"


def test_targets_can_follow_each_other(model):
    config = model.config
    for target in (*TARGETS, "cuda"):
        config = config_of(dataclasses.replace(model, config=config), target)
    assert config == config_of(model, "cuda")
