"""`make audit`: the locks against PyPI's advisories, by pip-audit.

Exit codes: 0 nothing is known against any package, 1 something is, 3 the advisories can't be had here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

NO_DATA = 3


def main(locks: Sequence[str]) -> int:
    """Audit each lock and print what was found."""
    return max(_verdict(lock, _report(lock)) for lock in locks)


def _report(lock: str) -> list[dict[str, object]]:
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--format", "json", "-r", lock]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, object]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        sys.stderr.write(done.stderr)
        return []
    return packages


def _verdict(lock: str, packages: list[dict[str, object]]) -> int:
    asked = [package for package in packages if "skip_reason" not in package]
    holes = [(package, hole) for package in asked for hole in package["vulns"]]  # type: ignore[attr-defined]
    for package, hole in holes:
        fixed = ", ".join(hole["fix_versions"]) or "no version yet"
        print(f"{lock}: {package['name']} {package['version']}: {hole['id']}, mended in {fixed}")
    if holes:
        return 1
    if len(asked) < len(packages) or not packages:
        print(f"{lock}: not audited: no advisories for {len(packages) - len(asked)} of {len(packages)} packages")
        return NO_DATA
    print(f"{lock}: nothing known against its {len(asked)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
