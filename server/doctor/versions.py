"""Versions: whether what is installed is what is locked."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from server.bootstrap import NEWEST, OLDEST, ROOT, BootstrapError, check_version
from server.configuration import Settings
from server.doctor.finding import Finding, broken, good

_LOCKED = re.compile(r"^([A-Za-z0-9][^\\\n]*==[^\\\n]*)", re.MULTILINE)
_ADVICE = "remove .venv and run scripts/serve, which installs what is locked"


def check_python(settings: Settings, *, version: tuple[int, int] | None = None) -> Iterator[Finding]:
    """Find a Python for which nothing is locked."""
    seen = version or (sys.version_info.major, sys.version_info.minor)
    try:
        check_version(seen)
    except BootstrapError:
        allowed = "{}.{} to {}.{}".format(*OLDEST, *NEWEST)
        yield broken("python", f"this is Python {seen[0]}.{seen[1]}", f"install one of {allowed}; {_ADVICE}")
    else:
        yield good("python", f"{seen[0]}.{seen[1]}")


def check_requirements(settings: Settings, *, lock: Path | None = None) -> Iterator[Finding]:
    """Find packages that are missing or have another version than the locked one."""
    wanted = locked(lock or ROOT / "requirements.txt")
    strange = [trouble for name, version in sorted(wanted.items()) if (trouble := _trouble(name, version))]
    if strange:
        more = f" and {len(strange) - 5} more" if len(strange) > 5 else ""
        yield broken("requirements", f"{'; '.join(strange[:5])}{more}", _ADVICE)
    else:
        yield good("requirements", f"all {len(wanted)} are installed as they are locked")


def locked(path: Path) -> dict[str, str]:
    """Return the versions that a lock file wants of this Python on this machine, by package."""
    requirements = [Requirement(line.strip()) for line in _LOCKED.findall(path.read_text())]
    return {
        requirement.name: next(iter(requirement.specifier)).version
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate()
    }


def _trouble(name: str, wanted: str) -> str | None:
    try:
        seen = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} {wanted} is not installed"
    return None if seen == wanted else f"{name} is {seen}, locked is {wanted}"
