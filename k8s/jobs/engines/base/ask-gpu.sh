#!/bin/sh
# ask-gpu.sh FILE: writes the TensorRT version of this image and the compute capability of this GPU, as --flags.
set -eu
version=${TRT_VERSION:?"the image says no TensorRT version: give it as TRT_VERSION"}
capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1)
echo "--tensorrt-version ${version%%+*} --compute-capability $capability" > "$1"
cat "$1"
