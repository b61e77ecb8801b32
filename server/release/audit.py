"""The audit: which of the locked requirements have known flaws, as far as an advisory source can be asked.

Owns that silence is never taken for health: pip-audit says "no known vulnerabilities" also where it was told nothing
about any package.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TIMEOUT_S = 15


@dataclass(frozen=True)
class Audit:
    """``flaws`` are sentences; ``unknown`` the packages of which nothing could be learnt; ``trouble`` says why none
    was asked about, if so."""

    asked: int = 0
    flaws: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    trouble: str = ""

    def sentence(self) -> str:
        """Return the result in one sentence."""
        if not self.asked:
            return f"NOT AUDITED: no advisory source could be reached (pip-audit: {self.trouble})"
        gaps = f"; nothing could be learnt of {len(self.unknown)}: {', '.join(self.unknown)}" if self.unknown else ""
        found = "; ".join(self.flaws) or "no known flaws"
        return f"{self.asked} requirements audited: {found}{gaps}"


def audit(lock: Path, *, accepted: Sequence[str] = (), osv_url: str | None = None) -> Audit:
    """Ask about all packages of a lock file, but not about flaws that were ``accepted``.

    PyPI is asked, or the OSV service at ``osv_url``, such as https://api.osv.dev/v1/query or a mirror of it.
    """
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--require-hashes"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", str(_TIMEOUT_S)]
    command += ["--vulnerability-service", "osv", "--osv-url", osv_url] if osv_url else []
    command += [word for name in accepted for word in ("--ignore-vuln", name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return read_report(json.loads(done.stdout))
    except (ValueError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        return Audit(trouble=last[-300:])


def read_report(report: dict[str, Any]) -> Audit:
    """Read what pip-audit reports."""
    packages = report["dependencies"]
    asked = [package for package in packages if "vulns" in package]
    flaws = tuple(_told(package, flaw) for package in asked for flaw in package["vulns"])
    unknown = tuple(str(package["name"]) for package in packages if "vulns" not in package)
    reasons = [str(package.get("skip_reason")) for package in packages if "vulns" not in package]
    trouble = reasons[0] if reasons else "there was nothing to ask about"
    return Audit(len(asked), flaws, unknown, "" if asked else trouble)


def _told(package: dict[str, Any], flaw: dict[str, Any]) -> str:
    mended = ", ".join(flaw.get("fix_versions", [])) or "no version yet"
    return f"{package['name']} {package['version']} has {flaw['id']} (mended in {mended})"
