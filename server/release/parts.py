"""The list of all parts (SBOM): a CycloneDX file of the locked requirements with their hashes, of Java and models."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from server.release.further_parts import further_parts
from server.release.versions import ReleaseError


def write_parts(root: Path, target: Path) -> int:
    """Write the list and return how many parts it names; raise ReleaseError if it cannot be made or is empty.

    The same lock file brings the same bytes, wherever and whenever it is written.
    """
    lock, project = root / "requirements.txt", root / "pyproject.toml"
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", str(lock), "--pyproject", str(project)]
    command += ["--output-reproducible", "--output-format", "JSON", "--output-file", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise ReleaseError(f"the list of parts cannot be made: {_last_line(done.stderr)}")
    value = json.loads(target.read_text(encoding="utf-8"))
    if not value.get("components"):
        raise ReleaseError(f"the list of parts is empty: no requirement was found in {lock}")
    value["components"] += further_parts(root)
    target.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    return len(value["components"])


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["nothing was said"])[-1]
