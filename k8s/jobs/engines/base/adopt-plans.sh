#!/bin/sh
# adopt-plans.sh MODELS WORK: configures each model for its plan, or for ONNX Runtime where it has none.
set -eu
read -r _ version _ < "$2/key"
out="$1/$MODEL_RELEASE"
onepeace export --target triton-tensorrt --repository "$out" --out "$out" --no-build --tensorrt-version "$version"
