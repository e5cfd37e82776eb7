# The gateway: REST and gRPC with ONNX Runtime for the CPU in the process, or as a client of Triton. No PyTorch.
#
#   docker build -f docker/gateway.Dockerfile -t onepeace-gateway:0.1.0 .
#
# It serves the model repository that is mounted on /models. With `--build-arg MODEL=small` the image holds the small
# model of this repository and needs no mount.
ARG MODEL=none

FROM python:3.11.16-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# Without pip: what is served needs none.
RUN python -m venv --without-pip /opt/onepeace
COPY docker/build.lock docker/gateway.lock ./
# Wheels only: a source archive would run its own code here, and ask for a compiler.
RUN pip --python /opt/onepeace/bin/python install --require-hashes --only-binary :all: -r gateway.lock \
    && pip install --require-hashes --only-binary :all: -r build.lock
COPY pyproject.toml README.md ./
COPY service service
COPY export export
COPY training training
# Neither step may fetch anything: what they need was installed above, by its hash.
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir wheels . \
    && pip --python /opt/onepeace/bin/python install --no-index --no-deps wheels/*.whl

FROM python:3.11.16-slim-bookworm AS runtime
LABEL org.opencontainers.image.title="ONE-PEACE Server gateway" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/onepeace /opt/onepeace
# Bytecode was compiled by pip, and the root filesystem may be read-only. ONNX Runtime reports its use to its maker
# unless told not to. NumPy's BLAS would start a thread for each core of the host, which count against the limit on
# processes; the service computes nothing large with it.
ENV PATH=/opt/onepeace/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    OPENBLAS_NUM_THREADS=1 \
    ONEPEACE_HOST=0.0.0.0 \
    ONEPEACE_PORT=8000 \
    ONEPEACE_GRPC_PORT=50051 \
    ONEPEACE_MODEL_REPOSITORY=/models
# A number, so that Kubernetes' runAsNonRoot can tell that it isn't root. It owns no file.
USER 10001:10001
WORKDIR /models
EXPOSE 8000 50051
ENTRYPOINT ["onepeace"]
CMD ["serve"]

FROM runtime AS model-none

FROM runtime AS model-small
COPY model_repository /models

# hadolint ignore=DL3006
FROM model-${MODEL} AS gateway
