"""Every setting, read once: from `ONEPEACE_…` variables and from the flags of `onepeace serve`."""

from __future__ import annotations

import logging
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.fetching.policy import Allowlist

logger = logging.getLogger(__name__)
ENV_PREFIX = "ONEPEACE_"
MIB = 1024 * 1024
LEAST_DECODE_BYTES = 16 * MIB
"""A 640 × 480 photo in the dearest format takes some 5 MB for its pixels, and a few copies of its file."""
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?")
"""As a browser writes it: lower case, no path, not even `/`."""


class SettingsError(Exception):
    """A setting is wrong; the message names each and what it must be."""


class AddressError(SettingsError):
    """An address can't be listened on; it may be right, and taken."""


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _none_or_room(value: int) -> int:
    if 0 < value < LEAST_DECODE_BYTES:
        raise ValueError(f"must be 0 or at least {LEAST_DECODE_BYTES}: less holds no ordinary picture")
    return value


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
    triton_tls_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that Triton's certificate is checked by; without it no TLS"
    )
    triton_tls_cert_file: Path | None = Field(
        None, description="PEM file of the certificate that Triton is shown, with its chain, if it wants one"
    )
    triton_tls_key_file: Path | None = Field(None, description="PEM file of that certificate's private key")
    engine_device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="of the engine onnx: auto (CUDA where it can be used), cpu, or cuda (else the start fails)"
    )
    verify_model: bool = Field(
        True, description="of the engine onnx: refuse to start when a model's files are not those of its fingerprint"
    )
    engine_threads: int = Field(0, ge=0, le=1024, description="threads of one model call; 0: one for each core")
    decode_threads: int = Field(0, ge=0, le=1024, description="files decoded at once; 0: one for each core")
    decode_isolation: Literal["process", "thread"] = Field(
        "process" if sys.platform == "linux" else "thread",
        description="where files are decoded: process (a crash, a hang or too much memory harms one file; needs Linux)"
        " or thread",
    )
    decode_timeout_ms: int = Field(
        20_000, ge=100, description="milliseconds for a process to decode one file; more: 422"
    )
    decode_memory_bytes: Annotated[int, AfterValidator(_none_or_room)] = Field(
        0,
        ge=0,
        description="memory of a process to decode one file, at least 16 MiB; more: 422; 0: what the limits can need",
    )

    max_body_bytes: int = Field(32 * MIB, ge=1024, description="bytes of one request body; more: 413")
    max_pending_bytes: int = Field(
        512 * MIB, ge=1024, description="bytes of bodies, fetched files and decoded inputs at work; more: 429"
    )
    max_items: int = Field(256, ge=1, description="items, labels or phrases in one request; more: 422")
    max_text_bytes: int = Field(
        32 * 1024, ge=1, description="UTF-8 bytes of one text, or token ids that stand for one; more: 422"
    )
    max_pixels: int = Field(50_000_000, ge=1, description="width × height of one image; more: 422")
    max_audio_seconds: float = Field(600.0, gt=0, description="seconds of one clip; more: 422")
    max_queue: int = Field(1024, ge=1, description="items at work, decoding and waiting; more: 429")
    max_wait_ms: int = Field(
        10_000, ge=1, description="milliseconds that the items at work may still take, at the present pace; more: 429"
    )
    deadline_ms: int = Field(30_000, ge=1, description="milliseconds from a complete body to its answer; more: 504")
    read_timeout_ms: int = Field(
        60_000, ge=1, description="milliseconds for a body to arrive; more, or a large one that halts: 408"
    )
    compress_min_bytes: int = Field(
        16 * 1024, ge=0, description="JSON answers from this size on are compressed for callers who accept zstd or gzip"
    )
    label_cache: int = Field(
        8192, ge=0, description="vectors of labels that `/classify` keeps; 4 bytes × dimensions each, and short keys"
    )
    bulk_items: int = Field(
        16, ge=1, description="a request of more items than this lets smaller ones go first, as streams do"
    )

    url_fetch: Literal["off", "allowlist"] = Field(
        "off", description="media by URL: off, or allowlist (https, from url_hosts alone, at public addresses)"
    )
    url_hosts: str = Field("", description="hosts to fetch from, with commas: media.example.org, *.example.org:8443")
    url_max_bytes: int = Field(16 * MIB, ge=1, description="bytes of one fetched file; more: 422")
    url_timeout_ms: int = Field(10_000, ge=1, description="milliseconds for one file with its redirects; more: 422")
    url_max_redirects: int = Field(3, ge=0, le=20, description="redirects of one URL, each checked anew; more: 422")

    api_keys_file: Path | None = Field(
        None, description="TOML file of the keys that callers need (`onepeace keys new`); without it all are let in"
    )
    api_key: SecretStr = Field(
        SecretStr(""), description="key that `embed-files --server` and `eval` send; a variable alone, no flag"
    )
    access_health: Literal["open", "key"] = Field(
        "open", description="health checks, REST and gRPC, when there are keys: open, or key (any)"
    )
    access_metrics: Literal["open", "key"] = Field(
        "open", description="`/metrics` when there are keys: open, or key (with the scope 'metrics')"
    )
    access_docs: Literal["open", "key", "off"] = Field(
        "open", description="`/docs`, `/openapi.json` and gRPC reflection: open, key (any, when there are keys) or off"
    )
    cors_origins: str = Field(
        "", description="origins of web pages that may call, with commas: https://app.example.org; or *; none: no CORS"
    )
    tls_cert_file: Path | None = Field(
        None,
        description="PEM file of the certificate and its chain: TLS for HTTP and gRPC; read anew when it changes",
    )
    tls_key_file: Path | None = Field(None, description="PEM file of the certificate's private key")
    tls_client_ca_file: Path | None = Field(
        None, description="PEM file of the authorities whose client certificates are asked for; without it none are"
    )

    drain_s: float = Field(1.0, ge=0, description="seconds to serve on after SIGTERM while `/health/ready` says 503")
    grace_s: float = Field(25.0, gt=0, description="seconds after the drain for accepted requests to be answered")
    keep_alive_s: int = Field(75, ge=1, description="seconds that an idle connection stays open")
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        "info", description="least severe log line: debug, info, warning, error"
    )

    log_format: Annotated[Literal["auto", "json", "text"], BeforeValidator(_lower)] = Field(
        "auto", description="log lines: json, text, or auto (json, but text at a terminal)"
    )
    otlp_endpoint: str = Field(
        "",
        pattern=r"^(https?://[^\s/?#]+[^\s?#]*)?$",
        description="URL of an OpenTelemetry collector's OTLP/HTTP, such as http://localhost:4318; empty: no traces",
    )
    otlp_sample_ratio: float = Field(
        0.1, ge=0, le=1, description="share of requests that are traced, of those that come without a decision"
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
    def _processes_need_linux(self) -> Settings:
        if self.decode_isolation == "process" and sys.platform != "linux":
            raise ValueError("decode_isolation 'process' needs Linux; 'thread' works everywhere")
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

    @model_validator(mode="after")
    def _keys_and_certificates_are_whole(self) -> Settings:
        if self.api_keys_file is None and "key" in (self.access_health, self.access_metrics, self.access_docs):
            raise ValueError(f"access by 'key' needs {ENV_PREFIX}API_KEYS_FILE (--api-keys-file)")
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_cert_file and tls_key_file belong together")
        if (self.triton_tls_cert_file is None) != (self.triton_tls_key_file is None):
            raise ValueError("triton_tls_cert_file and triton_tls_key_file belong together")
        if self.triton_tls_cert_file is not None and self.triton_tls_ca_file is None:
            raise ValueError("triton_tls_cert_file needs triton_tls_ca_file")
        if self.tls_client_ca_file is not None and self.tls_cert_file is None:
            raise ValueError("tls_client_ca_file needs tls_cert_file and tls_key_file")
        return self

    @model_validator(mode="after")
    def _origins_are_exact(self) -> Settings:
        names = f"{ENV_PREFIX}CORS_ORIGINS (--cors-origins)"
        origins = self.origins()
        if "*" in origins and len(origins) > 1:
            raise ValueError(f"{names}: '*' stands alone")
        if "*" in origins and self.tls_client_ca_file is not None:
            raise ValueError(f"{names}: '*' can't go with client certificates, which a browser sends by itself")
        for origin in origins:
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ValueError(f"{names}: '{origin}' is no origin, such as https://app.example.org")
        return self

    def origins(self) -> tuple[str, ...]:
        """Origins of web pages that may call."""
        return tuple(origin.strip() for origin in self.cors_origins.split(",") if origin.strip())

    def engine_cores(self) -> int:
        """Threads of one model call."""
        return self.engine_threads or available_cores()

    def decode_cores(self) -> int:
        """Files decoded at once."""
        return self.decode_threads or available_cores()

    def decoder_memory(self) -> int:
        """Bytes that a decoding process may take for one file.

        docs/preprocessing.md has what the dearest formats take: 15 bytes a pixel, a few copies of the file, and a
        whole clip's samples twice.
        """
        if self.decode_memory_bytes:
            return self.decode_memory_bytes
        pixels, files = 20 * self.max_pixels, 6 * max(self.max_body_bytes, self.url_max_bytes)
        return 256 * MIB + pixels + files + round(12 * 16_000 * self.max_audio_seconds)


def quiet_grpc() -> None:
    """Have gRPC's core print nothing, unless the environment says otherwise; of use before `grpc` is imported alone.

    It writes to stderr by itself, from the threads that move bytes: a reader that stands still would stop them, and
    callers decide how much it writes (one line for each compressed message or failed handshake). What of it matters
    comes as an error of a call or of the start, too. What ends the process (a failed check) is printed all the same.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


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
