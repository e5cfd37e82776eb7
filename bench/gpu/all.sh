#!/bin/bash
# Every figure that needs a GPU, most important first, each in a file of its own as soon as it is there:
#   bash bench/gpu/all.sh FOLDER [PYTHON]
# About 8 minutes on an H100 with 16 cores; compiling takes longest and comes last.
set -u
out=$1 python=${2:-python3}
mkdir -p "$out"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
"$python" -c 'import onnxruntime, torch; print("ONNX Runtime", onnxruntime.__version__, "PyTorch", torch.__version__)'
"$python" -m bench.gpu.shipped model_repository --json "$out/shipped.json" 2>&1 | tee "$out/shipped.txt"
for branch in image text audio; do
	"$python" -m bench.gpu --branches $branch --runners pytorch onnx --seconds 1 --json "$out/$branch.json" 2>&1 | tee "$out/$branch.txt"
done
"$python" -m bench.gpu --branches image --precisions fp16 --runners compiled --seconds 1 --json "$out/compiled.json" 2>&1 | tee "$out/compiled.txt"
