#!/bin/sh
# ask-gpu.sh FILE: writes the TensorRT version of this image and the compute capability of this GPU, as --flags.
set -eu
version=${TRT_VERSION:?"the image says no TensorRT version: give it as TRT_VERSION"}
# No pipe: it would hide that nvidia-smi fails, which tells why on stdout.
answer=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader) || { echo "nvidia-smi fails: $answer" >&2 && exit 1; }
capability=$(printf '%s\n' "$answer" | head -n 1)
case "$capability" in
[0-9]*.[0-9]*) ;;
*) echo "nvidia-smi tells no compute capability: '$answer'" >&2 && exit 1 ;;
esac
echo "--tensorrt-version ${version%%+*} --compute-capability $capability" > "$1"
cat "$1"
