#!/bin/sh
# build-plans.sh WORK: builds each plan. A model whose plan fails keeps ONNX Runtime; half a plan is not left behind.
set -u
cd "$1" || exit 1
while read -r command; do
    plan=$(printf '%s\n' "$command" | sed 's/.*--saveEngine=\([^ ]*\).*/\1/')
    if ! sh -c "$command" < /dev/null; then
        rm -f "$plan"
        echo "no plan $plan: ONNX Runtime runs this model" >&2
    fi
done < build.sh
