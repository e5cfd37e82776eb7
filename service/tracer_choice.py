"""The tracer that the settings ask for."""

from __future__ import annotations

from service.settings import ENV_PREFIX, Settings, SettingsError
from service.tracing import Tracer


def build_tracer(settings: Settings) -> Tracer | None:
    """OpenTelemetry's, imported only where a collector is named; None: nothing is traced.

    Raises:
        SettingsError: the packages of the extra `otel` are not installed.
    """
    if not settings.otlp_endpoint:
        return None
    try:
        from service.otlp import OtlpTracer
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        names = f"{ENV_PREFIX}OTLP_ENDPOINT (--otlp-endpoint)"
        raise SettingsError(f"{names} needs the packages of the extra 'otel': pip install '.[otel]'") from error
    return OtlpTracer(settings.otlp_endpoint, settings.otlp_sample_ratio)
