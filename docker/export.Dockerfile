# `onepeace export` and `onepeace verify`: checkpoints in, a model repository out. Holds PyTorch; serves nothing.
#
#   docker build -f docker/export.Dockerfile -t onepeace-export:0.1.0 .
#
# docker/export.lock has PyTorch as PyPI has it for Linux on x86-64, which brings CUDA's libraries. So this image is
# large, and separate from the one that serves.
FROM python:3.11.16-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /opt/onepeace
COPY docker/build.lock docker/export.lock ./
RUN pip --python /opt/onepeace/bin/python install --require-hashes --only-binary :all: -r export.lock \
    && pip install --require-hashes --only-binary :all: -r build.lock
COPY pyproject.toml README.md ./
COPY service service
COPY export export
COPY training training
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir wheels . \
    && pip --python /opt/onepeace/bin/python install --no-index --no-deps wheels/*.whl

FROM python:3.11.16-slim-bookworm AS export
LABEL org.opencontainers.image.title="ONE-PEACE Server export" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/onepeace /opt/onepeace
# PyTorch wants a home for its caches; the user has none. ONNX Runtime reports its use unless told not to.
ENV PATH=/opt/onepeace/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    HOME=/tmp
# Run it with `--user "$(id -u):$(id -g)"` where the folder that --out names is yours.
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["onepeace"]
CMD ["export", "--help"]
