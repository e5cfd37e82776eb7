"""Without a driver there is one clear sentence."""

from __future__ import annotations

import pytest

from export.tensorrt import device


def test_a_missing_driver_is_said(monkeypatch):
    monkeypatch.setattr(device, "LIBRARY", "libno-such-driver.so.1")
    with pytest.raises(device.DeviceError, match="no NVIDIA driver"):
        device.Device()
