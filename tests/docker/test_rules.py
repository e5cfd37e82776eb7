"""Alert and recording rules: by promtool itself where it is there, and their notes in the docs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.docker.dockerfile import ROOT

RULES = ROOT / "docker" / "prometheus" / "rules" / "onepeace.yml"
TESTS = Path(__file__).with_name("prometheus_rules.yml")
DOCS = ROOT / "docs" / "observability.md"
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"] if "alert" in rule]


def promtool(*words: str | Path, folder: Path = ROOT) -> str:
    """What promtool says; Debian has it in the package `prometheus`.

    Raises:
        AssertionError: it finds a fault.
    """
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("needs promtool")
    result = subprocess.run([found, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_promtool_takes_the_rules_and_runs_their_tests() -> None:
    assert "SUCCESS" in promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("test", "rules", TESTS)


def test_promtools_tests_can_fail(tmp_path: Path) -> None:
    changed = RULES.read_text().replace('status=~"5.."', 'status=~"2.."')
    (tmp_path / "onepeace.yml").write_text(changed)
    tests = yaml.safe_load(TESTS.read_text()) | {"rule_files": ["onepeace.yml"]}
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests))
    with pytest.raises(AssertionError, match="OnePeaceErrorBudgetFastBurn"):
        promtool("test", "rules", "tests.yml", folder=tmp_path)


def test_promtool_takes_the_configuration_with_the_rules_in_place(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "docker" / "prometheus" / "prometheus.yml").read_text())
    del config["scrape_config_files"]  # Debian 12 has promtool 2.42, this is known from 2.43 on
    config["rule_files"] = [str(RULES)]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml", folder=tmp_path)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_has_a_severity_a_test_and_a_note(alert: dict[str, dict[str, str]]) -> None:
    name = str(alert["alert"])
    assert alert["labels"]["severity"] in {"page", "ticket"}
    anchors = {"#" + heading.lower() for heading in re.findall(r"^#+ (\w+)$", DOCS.read_text(), re.MULTILINE)}
    path, hash_sign, anchor = alert["annotations"]["runbook"].partition("#")
    assert path == "docs/observability.md"
    assert hash_sign + anchor in anchors
    assert anchor == name.lower()
    tested = {
        found["alertname"]
        for test in yaml.safe_load(TESTS.read_text())["tests"]
        for found in test.get("alert_rule_test", [])
        if found["exp_alerts"]
    }
    assert name in tested
