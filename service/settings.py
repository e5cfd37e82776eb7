"""Every setting, read once: from `ONEPEACE_…` variables and from the flags of `onepeace serve`."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.fetching.policy import Allowlist

logger = logging.getLogger(__name__)
ENV_PREFIX = "ONEPEACE_"
MIB = 1024 * 1024


class SettingsError(Exception):
    """A setting is wrong; the message names each and what it must be."""


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class Settings(BaseSettings):
    """Settings of the service. The descriptions below are the documentation (`onepeace serve --help`)."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore", protected_namespaces=())

    model_repository: Path = Field(Path("model_repository"), description="folder that `onepeace export` wrote")
    model_name: str = Field("one-peace", min_length=1, description="name of the model in answers")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    grpc_port: int = Field(50051, ge=0, le=65535, description="port of gRPC on the same address; 0 turns it off")
    grpc_max_connection_age_s: float = Field(
        0.0, ge=0, description="seconds after which a gRPC connection is renewed, for balancing; 0: never"
    )
    grpc_max_connection_age_grace_s: float = Field(
        0.0, ge=0, description="seconds that calls of such a connection have left, streams too; 0: until they end"
    )
    grpc_stream_window: int = Field(64, ge=1, le=4096, description="items of one gRPC stream under way at once")
    engine: Literal["onnx", "triton"] = Field(
        "onnx", description="what runs the models: onnx (ONNX Runtime in the process) or triton (servers at triton_url)"
    )
    triton_url: str = Field("", description="host:port of Triton's gRPC, several with commas; all addresses of a name")
    triton_calls: int = Field(4, ge=1, le=1024, description="batches of one model under way at Triton at once")
    triton_probe_timeout_ms: int = Field(
        5000, ge=10, description="milliseconds for a canary row, after which a Triton counts as sick"
    )
    triton_shared_memory: bool = Field(
        False, description="hand large batches to Triton in /dev/shm, which it must share with this host"
    )
    engine_device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="of the engine onnx: auto (CUDA where it can be used), cpu, or cuda (else the start fails)"
    )
    verify_model: bool = Field(
        True, description="of the engine onnx: refuse to start when a model's files are not those of its fingerprint"
    )
    engine_threads: int = Field(0, ge=0, le=1024, description="threads of one model call; 0: one for each core")
    decode_threads: int = Field(0, ge=0, le=1024, description="threads that decode media; 0: one for each core")

    max_body_bytes: int = Field(32 * MIB, ge=1024, description="bytes of one request body; more: 413")
    max_pending_bytes: int = Field(512 * MIB, ge=1024, description="bytes of all bodies at work; more: 429")
    max_items: int = Field(256, ge=1, description="items, labels or phrases in one request; more: 422")
    max_text_bytes: int = Field(32 * 1024, ge=1, description="UTF-8 bytes of one text; more: 422")
    max_pixels: int = Field(50_000_000, ge=1, description="width × height of one image; more: 422")
    max_audio_seconds: float = Field(600.0, gt=0, description="seconds of one clip; more: 422")
    max_queue: int = Field(1024, ge=1, description="items at work, decoding and waiting; more: 429")
    deadline_ms: int = Field(30_000, ge=1, description="milliseconds from a complete body to its answer; more: 504")
    read_timeout_ms: int = Field(60_000, ge=1, description="milliseconds for a body to arrive; more: 408")
    compress_min_bytes: int = Field(
        16 * 1024, ge=0, description="JSON answers from this size on are compressed for callers who accept zstd or gzip"
    )
    label_cache: int = Field(
        8192, ge=0, description="vectors of labels that `/classify` keeps; 4 bytes × dimensions each"
    )
    bulk_items: int = Field(16, ge=1, description="a request with more items than this lets smaller ones go first")

    url_fetch: Literal["off", "allowlist"] = Field(
        "off", description="media by URL: off, or allowlist (https, from url_hosts alone, at public addresses)"
    )
    url_hosts: str = Field("", description="hosts to fetch from, with commas: media.example.org, *.example.org:8443")
    url_max_bytes: int = Field(16 * MIB, ge=1, description="bytes of one fetched file; more: 422")
    url_timeout_ms: int = Field(10_000, ge=1, description="milliseconds for one file with its redirects; more: 422")
    url_max_redirects: int = Field(3, ge=0, le=20, description="redirects of one URL, each checked anew; more: 422")

    drain_s: float = Field(1.0, ge=0, description="seconds to serve on after SIGTERM while `/health/ready` says 503")
    grace_s: float = Field(25.0, gt=0, description="seconds after the drain for accepted requests to be answered")
    keep_alive_s: int = Field(75, ge=1, description="seconds that an idle connection stays open")
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        "info", description="least severe log line: debug, info, warning, error"
    )

    @model_validator(mode="after")
    def _a_full_request_fits_the_queue(self) -> Settings:
        if self.max_items > self.max_queue:
            raise ValueError(f"max_items ({self.max_items}) must not exceed max_queue ({self.max_queue})")
        if self.max_body_bytes > self.max_pending_bytes:
            raise ValueError(f"max_body_bytes ({self.max_body_bytes}) must not exceed max_pending_bytes")
        return self

    @model_validator(mode="after")
    def _triton_has_an_address(self) -> Settings:
        if self.engine == "triton" and not self.triton_url:
            raise ValueError(f"the engine 'triton' needs {ENV_PREFIX}TRITON_URL (--triton-url), such as localhost:8001")
        return self

    @model_validator(mode="after")
    def _the_allowlist_names_hosts(self) -> Settings:
        names = f"{ENV_PREFIX}URL_HOSTS (--url-hosts)"
        try:
            allowlist = Allowlist.parse(self.url_hosts)
        except ValueError as error:
            raise ValueError(f"{names}: {error}") from error
        if self.url_fetch == "allowlist" and not allowlist.rules:
            raise ValueError(f"url_fetch 'allowlist' needs {names}, such as media.example.org,*.example.net")
        return self

    def engine_cores(self) -> int:
        """Threads of one model call."""
        return self.engine_threads or available_cores()

    def decode_cores(self) -> int:
        """Threads that decode media."""
        return self.decode_threads or available_cores()


def available_cores() -> int:
    """Cores that this process may run on; a pinned process sees fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_settings(flags: dict[str, Any] | None = None) -> Settings:
    """Read the settings; flags win over the environment.

    Raises:
        SettingsError: names each wrong setting, as its variable and its flag.
    """
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.startswith(ENV_PREFIX) and name not in known:
            logger.warning("%s is not a setting of this service", name)
    try:
        return Settings(**(flags or {}))
    except ValidationError as error:
        lines = []
        for item in error.errors():
            name = str(item["loc"][0]) if item["loc"] else ""
            place = f"{ENV_PREFIX}{name.upper()} (--{name.replace('_', '-')}): " if name else ""
            lines.append(place + item["msg"])
        raise SettingsError("\n".join(lines)) from error
