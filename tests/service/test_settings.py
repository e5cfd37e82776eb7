"""Settings from environment and flags."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from service.settings import MIB, SettingsError, load_settings


def test_flags_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEPEACE_PORT", "9001")
    monkeypatch.setenv("ONEPEACE_MAX_ITEMS", "7")
    settings = load_settings({"port": "9002"})
    assert (settings.port, settings.max_items) == (9002, 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "70000"), ("MAX_ITEMS", "0"), ("MAX_PIXELS", "many"), ("ENGINE", "magic"), ("LOG_LEVEL", "loud")],
)
def test_a_bad_value_is_named_as_variable_and_flag(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"ONEPEACE_{name}", value)
    with pytest.raises(SettingsError, match=rf"ONEPEACE_{name} \(--{name.lower().replace('_', '-')}\)"):
        load_settings()


def test_limits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(SettingsError, match="max_queue"):
        load_settings({"max_items": 100, "max_queue": 10})


def test_an_allowlist_for_urls_must_name_hosts() -> None:
    with pytest.raises(SettingsError, match=r"'allowlist' needs ONEPEACE_URL_HOSTS \(--url-hosts\)"):
        load_settings({"url_fetch": "allowlist", "url_hosts": " , "})
    with pytest.raises(SettingsError, match=r"ONEPEACE_URL_HOSTS \(--url-hosts\): '10\.0\.0\.1' must be a name"):
        load_settings({"url_fetch": "allowlist", "url_hosts": "media.example.org,10.0.0.1"})
    assert load_settings({"url_fetch": "allowlist", "url_hosts": "media.example.org"}).url_fetch == "allowlist"
    assert load_settings().url_fetch == "off"


@pytest.mark.parametrize("name", ["access_health", "access_metrics", "access_docs"])
def test_access_by_key_needs_keys(name: str) -> None:
    with pytest.raises(SettingsError, match=r"needs ONEPEACE_API_KEYS_FILE \(--api-keys-file\)"):
        load_settings({name: "key"})


def test_certificate_and_key_go_together(tmp_path: Path) -> None:
    for given in ({"tls_cert_file": tmp_path}, {"tls_key_file": tmp_path}):
        with pytest.raises(SettingsError, match="tls_cert_file and tls_key_file belong together"):
            load_settings(dict(given))
    with pytest.raises(SettingsError, match="tls_client_ca_file needs"):
        load_settings({"tls_client_ca_file": tmp_path})


def test_settings_can_not_be_changed() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_decoders_get_the_memory_that_the_limits_can_need() -> None:
    usual = load_settings().decoder_memory()
    assert 1024 * MIB < usual < 2048 * MIB
    assert load_settings({"max_pixels": 100_000_000}).decoder_memory() == usual + 50_000_000 * 20
    assert load_settings({"decode_memory_bytes": 16 * MIB}).decoder_memory() == 16 * MIB
    with pytest.raises(SettingsError, match=r"ONEPEACE_DECODE_MEMORY_BYTES .*: .*must be 0 or at least 16777216"):
        load_settings({"decode_memory_bytes": 1000})


def test_decoding_processes_are_refused_where_they_can_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SettingsError, match="needs Linux"):
        load_settings({"decode_isolation": "process"})
    assert load_settings({"decode_isolation": "thread"}).decode_isolation == "thread"
