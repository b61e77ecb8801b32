"""Packages that only tests read: fetched singly, pinned by their hash, into a cache folder, without what they require.

Owns where they lie. What is in them is the business of whoever asks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def fetch(name: str, version: str, sha256: str) -> Path:
    """Return a package's wheel, fetched unless it is there; skip the test where no index can be reached."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "fishgate" / f"{name}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    found = list(folder.glob("*.whl"))
    if found:
        return found[0]
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{name}=={version} --hash=sha256:{sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run([*command, "-r", str(wanted), "-d", str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{name} cannot be fetched: {done.stderr.strip()[-200:]}")
    return next(folder.glob("*.whl"))
