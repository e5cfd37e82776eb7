#!/bin/sh
# write-graphs.sh MODELS WORK: writes the release with TensorRT's graphs, and WORK/build.sh, a trtexec command a model.
set -eu
out="$1/$MODEL_RELEASE"
if [ -e "$out/SHA256SUMS" ]; then
    echo "$MODEL_RELEASE is sealed already; take another name" >&2
    exit 1
fi
read -r key < "$2/key"
# shellcheck disable=SC2086  # two flags with their values
onepeace export --target triton-tensorrt --repository "$1/$FROM_RELEASE" --out "$out" --print-trtexec $key > "$2/log" ||
    { cat "$2/log" && exit 1; }
cat "$2/log"
grep '^trtexec ' "$2/log" > "$2/build.sh"
