"""What a container engine would do with an image, done by hand, because none may be here.

Namespaces for mounts and network, a root that can't be written, a numeric user with no rights and no way to more.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TOOLS = ("unshare", "nsenter", "setpriv", "mount", "chroot", "ip")
SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib64")
DEVICES = ("null", "zero", "random", "urandom")


def missing() -> str | None:
    """Why no container can be made here; None if one can."""
    absent = [tool for tool in TOOLS if shutil.which(tool, path=_PATH) is None]
    if absent:
        return f"needs {', '.join(absent)}"
    if os.geteuid() != 0:
        return "needs root, to become another user"
    if subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, check=False).returncode:
        return "the kernel lets this process make no namespaces"
    return None


_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


@dataclass(slots=True)
class Container:
    """A running command of an image."""

    process: subprocess.Popen[bytes]
    user: str
    environment: Mapping[str, str]
    output: IO[bytes]

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """As `docker exec` would."""
        enter = ["nsenter", f"--target={self.process.pid}", "--mount", "--net", "--root", "--wd"]
        words = [*enter, *_become(self.user, self.environment), *command]
        return subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)

    def wait_until_healthy(self, check: Sequence[str], timeout_s: float) -> None:
        """Ask again and again, as an engine does in the start period."""
        end = time.monotonic() + timeout_s
        while (result := self.run(check)).returncode:
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"not healthy: {result.stderr}\n{self.log()}")
            time.sleep(0.1)

    def status(self, field: str) -> str:
        """A line of `/proc/PID/status`."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(field + ":"))

    def stop(self, timeout_s: float) -> int:
        """As `docker stop`: SIGTERM, and the exit code; raises where an engine would kill."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def log(self) -> str:
        """What it has printed."""
        self.output.seek(0)
        return self.output.read().decode(errors="replace")


@contextmanager
def container(
    root: Path, mounts: Mapping[str, Path], user: str, environment: Mapping[str, str], command: Sequence[str]
) -> Iterator[Container]:
    """Run a command in a folder as its root, with folders of the host mounted read-only at the paths in `mounts`."""
    lines = [f"mount --bind {root} {root}"]
    devices = {f"/dev/{name}": Path("/dev") / name for name in DEVICES}
    for place, source in {"/proc": Path("/proc"), "/sys": Path("/sys"), **devices, **mounts}.items():
        target = root / place.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir(exist_ok=True) if source.is_dir() else target.touch()
        # A device must stay writable; what must not be written is the root.
        lines.append(f"mount --rbind {source} {target}" + (f"; mount -o remount,bind,ro {target}" * source.is_dir()))
    lines += [f"mount -o remount,bind,ro {root}", "ip link set lo up", f'exec chroot {root} "$@"']
    script = ["unshare", "--mount", "--net", "sh", "-euc", "\n".join(lines), "sh"]
    words = [*script, *_become(user, environment), *command]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(words, env={"PATH": _PATH}, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            _wait_until_inside(process, root)
            yield Container(process, user, environment, output)
        finally:
            process.kill()
            process.wait()


def _wait_until_inside(process: subprocess.Popen[bytes], root: Path) -> None:
    """Until then, a command that enters its namespaces would find the host's."""
    while process.poll() is None and os.readlink(f"/proc/{process.pid}/root") != str(root):
        time.sleep(0.01)


def host_system(root: Path) -> dict[str, Path]:
    """Mounts that lend the host's programs and libraries to an empty root."""
    mounts = {"/usr": Path("/usr")}
    for name in SYSTEM_FOLDERS:
        folder = Path("/") / name
        if folder.is_symlink():
            (root / name).symlink_to(folder.readlink())
        elif folder.is_dir():
            mounts[str(folder)] = folder
    return mounts


def _become(user: str, environment: Mapping[str, str]) -> list[str]:
    """Words before a command: `user` UID:GID, `cap_drop: [ALL]`, `no-new-privileges`, and only this environment."""
    number, _, group = user.partition(":")
    rights = ["--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    variables = [f"{name}={value}" for name, value in environment.items()]
    return ["/usr/bin/setpriv", f"--reuid={number}", f"--regid={group}", *rights, "/usr/bin/env", "-i", *variables]
