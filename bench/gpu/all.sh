#!/bin/bash
# Every figure that needs a GPU, most important first, each in a file of its own as soon as it is there:
#   bash bench/gpu/all.sh FOLDER [PYTHON]
# About 12 minutes on an H200 with 16 cores.
set -u
out=$1 python=${2:-python3}
mkdir -p "$out"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
"$python" -c 'import onnxruntime, torch; print("ONNX Runtime", onnxruntime.__version__, "PyTorch", torch.__version__)'
"$python" -m bench.gpu.shipped model_repository --json "$out/shipped.json" 2>&1 | tee "$out/shipped.txt"
for branch in image text audio; do
	"$python" -m bench.gpu --branches $branch --runners pytorch onnx --seconds 0.7 --json "$out/$branch.json" 2>&1 | tee "$out/$branch.txt"
done
"$python" -m bench.gpu --branches image --precisions fp16 --runners pytorch compiled --seconds 0.7 --json "$out/compiled.json" 2>&1 | tee "$out/compiled.txt"
