# One list of commands for people and CI. Everything runs in .venv, which the first command makes.
PYTHON ?= python3
BIN := .venv/bin
QUIET_PIP := pip --disable-pip-version-check --quiet
PIP := $(BIN)/$(QUIET_PIP)
HOST ?= 127.0.0.1
PORT ?= 8000
PROCESSES ?= 2
JOBS ?= 2
HASH = $(BIN)/uv pip compile --generate-hashes --python-version 3.11 --python-platform linux --no-annotate --quiet \
	--custom-compile-command 'make hashes'
PROTO = onepeace/v1/onepeace.proto
NODE_MODULES = client/typescript/node_modules/.package-lock.json
TRAIN = OMP_NUM_THREADS=1 $(BIN)/torchrun --standalone --nproc-per-node $(PROCESSES) -m training training/runs/small

.PHONY: audit environments sbom licences serve gpu triton test lint types unit train eval bench reliability proto typescript lock hashes clean help manifests k8s-check

help:  ## This list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

.venv/serve: pyproject.toml requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install -c requirements.lock -e '.[cpu]'
	@touch $@

.venv/dev: pyproject.toml client/pyproject.toml requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install -c requirements.lock -e '.[cpu,export,dev]' -e './client[grpc,images]'
	@touch $@ .venv/serve

.venv/fuzz: .venv/dev
	$(PIP) install -c requirements.lock -e '.[fuzz]'
	@touch $@

gpu:  ## Put ONNX Runtime for CUDA in the place of the CPU one, which is the same module
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) uninstall --yes onnxruntime
	$(PIP) install -c requirements.lock -e '.[gpu]'
	@touch .venv/serve

serve: .venv/serve  ## Start the service on 127.0.0.1:8000 with the model in model_repository/
	$(BIN)/onepeace serve --host $(HOST) --port $(PORT)

.venv/triton/done: requirements.lock
	$(PYTHON) -m venv --clear .venv/triton
	.venv/triton/bin/$(QUIET_PIP) install numpy==1.26.4 $$(grep '^onnxruntime==' $<)
	.venv/triton/bin/$(QUIET_PIP) install --no-deps nvidia-pytriton==0.7.0
	@touch $@

triton: .venv/dev .venv/triton/done  ## Serve model_repository/ with a Triton from PyPI's wheel: gRPC on 8001, metrics on 8002
	$(BIN)/python -m export.triton

test: environments  ## Lint, types and all tests
	@$(MAKE) --no-print-directory lint types unit

environments:  # both at once; without Triton's, its tests are skipped and say so
	-@$(MAKE) --no-print-directory --jobs 2 --keep-going .venv/dev .venv/triton/done

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev
	$(BIN)/mypy

unit: .venv/dev
	$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

train: .venv/dev  ## Make the data, train the small model from nothing, export it to model_repository/
	$(BIN)/python -m training.data runs/corpus
	$(TRAIN)/1_vision_language.yaml
	$(TRAIN)/2_forms.yaml
	$(TRAIN)/3_audio_language.yaml
	$(TRAIN)/4_audio_names.yaml
	$(TRAIN)/5_grounding.yaml
	$(TRAIN)/6_audio_labels.yaml
	$(TRAIN)/7_audio_names_longer.yaml
	$(TRAIN)/8_grounding_longer.yaml
	$(BIN)/onepeace export --bpe-dir runs/corpus/bpe --out model_repository \
		--checkpoint runs/small/7_audio_names_longer/model.pt --grounding runs/small/8_grounding_longer/model.pt \
		--audio-labels runs/small/6_audio_labels/model.pt --labels runs/corpus/audio_labels.txt
	$(BIN)/python -m training.curves runs/small/curves.png runs/small/*/log.jsonl

eval: .venv/dev  ## Measure the running server on the made test split
	$(BIN)/python -m training.data runs/corpus --splits test
	$(BIN)/onepeace eval made runs/corpus --server http://$(HOST):$(PORT) --json runs/eval.json --html runs/eval.html

bench: .venv/dev  ## Measure engine, decoding and service on the same cores
	$(BIN)/python -m bench

reliability: .venv/fuzz  ## Overload, faults and hostile input, at full scale; EXPERIMENTS names some
	$(BIN)/python -m tests.load $(EXPERIMENTS) --json runs/reliability.json

hashes: .venv/dev  ## Write docker/*.lock: what the images install, at the versions of requirements.lock, with hashes
	$(HASH) pyproject.toml --extra cpu --extra otel -c requirements.lock -o docker/gateway.lock
	$(HASH) pyproject.toml --extra cpu --extra export -c requirements.lock -o docker/export.lock
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(HASH) - -o docker/build.lock

.venv/supply:
	$(PYTHON) -m venv $@
	$@/bin/pip --quiet install pip-audit==2.10.1 cyclonedx-bom==7.5.0 pip-licenses==5.5.5 || { rm -r $@; false; }

audit: .venv/supply  ## Ask PyPI's advisories about what the images install; 3: they can't be had here
	.venv/supply/bin/python docker/audit.py docker/gateway.lock docker/export.lock

build/gateway: docker/gateway.lock
	$(PYTHON) -m venv --clear --without-pip $@
	$(PYTHON) -m pip --python $@/bin/python --quiet install --require-hashes --only-binary :all: -r $<

sbom: .venv/supply build/gateway  ## Write build/sbom.cdx.json (CycloneDX) of what the gateway image installs
	.venv/supply/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file build/sbom.cdx.json build/gateway/bin/python

licences: .venv/supply build/gateway  ## Write docs/licences.md
	{ printf '# Licences\n\nOf what the gateway image installs. Written by `make licences`.\n\n'; \
		.venv/supply/bin/pip-licenses --python build/gateway/bin/python --format markdown; } > docs/licences.md

manifests:  ## Write what k8s/ copies: alert rules, dashboard, the digest of the small model
	{ cat k8s/components/monitoring/prometheus-rule.head.yaml; sed 's/^\(.\)/  \1/' docker/prometheus/rules/onepeace.yml; } \
		> k8s/components/monitoring/prometheus-rule.yaml
	cp docker/grafana/dashboard.json k8s/components/monitoring/dashboard.json
	rm -rf build/small && mkdir -p build && cp -r model_repository build/small
	{ sed -n '/^#/p' k8s/components/small-model/model.env; sh k8s/components/scripts/seal-model.sh build/small; } > build/model.env
	mv build/model.env k8s/components/small-model/model.env

.venv/k8s: .venv/dev
	$(BIN)/python -m venv $@
	$(PIP) --python $@/bin/python install checkov==3.3.30 || { rm -r $@; exit 1; }
	npm install --prefix $@ --no-save --no-audit --no-fund --silent typescript@5.9.3 @kubernetes-models/gateway-api@2.0.0 \
		@kubernetes-models/keda@2.0.0 @kubernetes-models/prometheus-operator@6.0.0 || { rm -r $@; exit 1; }

k8s-check: .venv/k8s  ## Check k8s/ whole: with checkov (300 MB, minutes) and the types of custom resources (60 MB), too
	$(BIN)/pytest tests/k8s

proto: .venv/dev  ## Write the code of proto/ for the service and, where it is there, the client library
	@mkdir -p build/proto
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=build/proto --pyi_out=build/proto $(PROTO)
	cp build/proto/$(basename $(PROTO))_pb2.py* service/rpc/generated/
	if [ -d client/src/onepeace_client ]; then mkdir -p client/src/onepeace_client/generated \
		&& cp build/proto/$(basename $(PROTO))_pb2.py* client/src/onepeace_client/generated/; fi

$(NODE_MODULES): client/typescript/package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { echo 'the TypeScript types need node >= 20 and npm' >&2; exit 1; }
	npm --prefix client/typescript ci --ignore-scripts --no-audit --no-fund --prefer-offline

typescript: .venv/dev $(NODE_MODULES)  ## Write the TypeScript types of the REST interface (needs node >= 20 and npm)
	@mkdir -p build
	$(BIN)/onepeace openapi > build/openapi.json
	npm --prefix client/typescript run generate
	npm --prefix client/typescript run check

lock: .venv/fuzz  ## Write the installed versions to requirements.lock; versions of `gpu` stay
	@grep '^onnxruntime-gpu' requirements.lock > .venv/gpu.lock
	$(BIN)/pip freeze --exclude-editable | sed 's/^torch==\([0-9.]*\).*/torch==\1/' | sort -f - .venv/gpu.lock > requirements.lock

clean:
	rm -rf .venv client/typescript/node_modules client/typescript/build .mypy_cache .ruff_cache .pytest_cache build *.egg-info
