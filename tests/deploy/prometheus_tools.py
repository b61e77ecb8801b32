"""Where Prometheus' programs come from: the PATH, the folder that ``FISHGATE_PROMETHEUS`` names, or Debian's package.

The package is fetched once and unpacked into a cache folder, without being installed.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER_VARIABLE = "FISHGATE_PROMETHEUS"


@dataclass(frozen=True)
class Tools:
    """The two programs of Debian's package ``prometheus``."""

    prometheus: str
    promtool: str


@functools.cache
def tools() -> Tools:
    """Return the programs; skip the test, saying why, where they cannot be had."""
    folder = os.environ.get(FOLDER_VARIABLE)
    found = _in(folder) or _in(None) or _in(_cache() / "usr" / "bin")
    if found is None:
        problem = _unpack(_cache())
        found = _in(_cache() / "usr" / "bin")
        if found is None:
            pytest.skip(f"no prometheus and promtool on the PATH or in ${FOLDER_VARIABLE}, and {problem}")
    return found


def _in(folder: str | Path | None) -> Tools | None:
    programs = [shutil.which(name, path=None if folder is None else str(folder)) for name in ("prometheus", "promtool")]
    return Tools(*map(str, programs)) if all(programs) else None


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fishgate" / "prometheus"


def _unpack(target: Path) -> str:
    """Fetch Debian's package and unpack it; return what went wrong."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return "this is no Debian that has a package of it"
    with tempfile.TemporaryDirectory() as scratch:
        download = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "prometheus"]
        done = _run(download, scratch)
        if done.returncode and os.geteuid() == 0:  # the lists of packages may be missing or old
            _run(["apt-get", "-q", "update"], scratch)
            done = _run(download, scratch)
        packages = list(Path(scratch).glob("prometheus_*.deb"))
        if done.returncode or not packages:
            return f"Debian's package cannot be fetched: {done.stderr.strip()[-200:]}"
        unpacked = Path(scratch) / "unpacked"
        done = _run(["dpkg-deb", "-x", str(packages[0]), str(unpacked)], scratch)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.move(unpacked, target)
        return f"Debian's package cannot be unpacked: {done.stderr.strip()[-200:]}"


def _run(command: list[str], folder: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
