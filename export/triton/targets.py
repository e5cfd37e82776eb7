"""`config.pbtxt` for each way in which Triton runs a model. Why each option is set: `docs/triton.md`.

Option names: the README files of Triton's onnxruntime_backend and tensorrt_backend, and `model_config.proto`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tritonclient.grpc import model_config_pb2

from export.profiles import bucket_profiles, shapes_text, wide_profile
from export.target import TargetOptions
from export.tensorrt.plan_file import STANDARD_FILE
from export.triton.warmup import set_warmups
from service.repository import CONTRACTS, PIXELS, WAVEFORM, ModelFolder

KIND_GPU, KIND_CPU = model_config_pb2.ModelInstanceGroup.KIND_GPU, model_config_pb2.ModelInstanceGroup.KIND_CPU
GPU_RESOURCE = "gpu"  # of the rate limiter
# what targets set; everything else of a model's configuration is left as it was found
SET_FIELDS = (
    "platform",
    "backend",
    "default_model_filename",
    "cc_model_filenames",
    "dynamic_batching",
    "instance_group",
    "optimization",
    "response_cache",
)
SET_PARAMETERS = (
    "intra_op_thread_count",
    "cudnn_conv_algo_search",
    "tensorrt_version",
    "execution_context_allocation_strategy",
)
PRECISION_MODES = {"fp32": "FP32", "fp16": "FP16"}
HEURISTIC = "1"  # of cudnn_conv_algo_search


def onnx_config(model: ModelFolder, options: TargetOptions) -> Any:
    """For Triton's ONNX Runtime backend: on the CPU, on CUDA, or with TensorRT as accelerator."""
    message = _common(model, options)
    message.platform, message.backend = "onnxruntime_onnx", "onnxruntime"
    message.parameters["intra_op_thread_count"].string_value = str(options.threads)
    group = message.instance_group[0]
    if options.accelerator == "cpu":
        group.kind = KIND_CPU
        group.ClearField("rate_limiter")
        return message
    if {PIXELS, WAVEFORM} & set(CONTRACTS[model.name].inputs):
        message.parameters["cudnn_conv_algo_search"].string_value = HEURISTIC
    if options.accelerator == "tensorrt":
        message.default_model_filename = STANDARD_FILE.name
        accelerator = message.optimization.execution_accelerators.gpu_execution_accelerator.add(name="tensorrt")
        for key, value in _accelerator_parameters(model, options).items():
            accelerator.parameters[key] = value
    return message


def plan_config(model: ModelFolder, plans: dict[str, str], version: str, options: TargetOptions) -> Any:
    """For Triton's TensorRT backend. `plans`: compute capability (`9.0`) → file; all of TensorRT `version`."""
    message = _common(model, options)
    message.platform, message.backend = "tensorrt_plan", "tensorrt"
    for capability, file_name in sorted(plans.items()):
        message.cc_model_filenames[capability] = file_name
    message.instance_group[0].profile.extend(str(number) for number in range(len(bucket_profiles(model))))
    message.parameters["tensorrt_version"].string_value = version
    message.parameters["execution_context_allocation_strategy"].string_value = "ON_PROFILE_CHANGE"
    return message


def _common(model: ModelFolder, options: TargetOptions) -> Any:
    """The model's own configuration with what all targets share; tensors, batch sizes and buckets stay."""
    message = model_config_pb2.ModelConfig()
    message.CopyFrom(model.config)
    delay_us = message.dynamic_batching.max_queue_delay_microseconds
    for field in SET_FIELDS:
        message.ClearField(field)
    for name in SET_PARAMETERS:
        message.parameters.pop(name, None)
    delay_us = delay_us if options.queue_delay_us is None else options.queue_delay_us
    message.dynamic_batching.max_queue_delay_microseconds = delay_us
    message.response_cache.enable = False
    group = message.instance_group.add(count=options.instances.get(model.name, 1), kind=KIND_GPU)
    group.rate_limiter.resources.add(name=GPU_RESOURCE, count=1)
    set_warmups(replace(model, config=message))
    return message


def _accelerator_parameters(model: ModelFolder, options: TargetOptions) -> dict[str, str]:
    profile, precision = wide_profile(model), model.card.precision
    parameters = {
        "precision_mode": PRECISION_MODES[precision],
        "max_workspace_size_bytes": str(options.workspace_gib * 2**30),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": options.engine_cache,
        "trt_engine_cache_prefix": f"{model.name}-{model.card.fingerprint[:12]}",
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": options.engine_cache,
        "trt_profile_min_shapes": shapes_text(profile.min),
        "trt_profile_opt_shapes": shapes_text(profile.opt),
        "trt_profile_max_shapes": shapes_text(profile.max),
    }
    if precision == "fp16":
        parameters["trt_layer_norm_fp32_fallback"] = "1"
    return parameters
