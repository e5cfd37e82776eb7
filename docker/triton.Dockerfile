# NVIDIA Triton behind the gateway, for GPUs.
#
#   docker build -f docker/triton.Dockerfile -t onepeace-triton:0.1.0 .
#
# 26.09 is Triton 2.73.0, the release of `tritonclient` in requirements.lock. The model repository is mounted on
# /models, never baked: the same image serves every export.
FROM nvcr.io/nvidia/tritonserver:26.09-py3
LABEL org.opencontainers.image.title="Triton for ONE-PEACE Server" org.opencontainers.image.licenses="Apache-2.0"
# CUDA keeps kernels that it compiles for the card in its user's home, which a read-only root refuses. ONNX Runtime may
# report its use to its maker unless told not to.
ENV CUDA_CACHE_PATH=/tmp/cuda \
    ORT_DISABLE_TELEMETRY=1
# A new volume takes over this folder's owner.
RUN install -d -o 1000 -g 1000 /var/cache/onepeace-tensorrt
# `triton-server` of NVIDIA's image, as a number.
USER 1000:1000
EXPOSE 8001 8002
# NVIDIA's entrypoint stays: it puts CUDA's compatibility libraries before an older driver's, then becomes CMD.
#
# model-repository    what `onepeace export` wrote
# model-control-mode  none: all models load at the start, and no caller can load, change or unload one
# strict-readiness    ready means: every model is
# exit-on-error       a model that doesn't load ends the server, rather than leave it half serving
# disable-auto-…      config.pbtxt is whole; what Triton would guess must not fill in for a mistake
# allow-http          for the health check alone: on the loopback address, out of the network's reach
# grpc-port           the gateway's only way in
# grpc-http2-min-…    the gateway pings while a call is long; Triton would take that for an attack and hang up
# metrics-address     said, because otherwise it follows http-address
# metrics-port        Prometheus' format: GPU, queue and batches
# exit-timeout-secs   as long as a request may live in the gateway (ONEPEACE_DEADLINE_MS)
CMD ["tritonserver", \
     "--model-repository=/models", \
     "--model-control-mode=none", \
     "--strict-readiness=true", \
     "--exit-on-error=true", \
     "--disable-auto-complete-config", \
     "--allow-http=true", "--http-address=127.0.0.1", "--http-port=8000", \
     "--allow-grpc=true", "--grpc-address=0.0.0.0", "--grpc-port=8001", \
     "--grpc-http2-min-recv-ping-interval-without-data=5000", \
     "--allow-metrics=true", "--metrics-address=0.0.0.0", "--metrics-port=8002", \
     "--exit-timeout-secs=30"]
