"""The version that is released: the same in package, client and changelog, and dated there."""

from __future__ import annotations

import re
from pathlib import Path

_PACKAGE = re.compile(r'^version = "([^"]+)"', re.MULTILINE)
_CLIENT = re.compile(r'^VERSION = "([^"]+)"', re.MULTILINE)
_HEADING = re.compile(r"^## (\S+) \(([^)]*)\)", re.MULTILINE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class ReleaseError(Exception):
    """Nothing can be released; the message says why."""


def package_version(root: Path) -> str:
    """Return the version in ``pyproject.toml``."""
    return _found(_PACKAGE, root / "pyproject.toml").group(1)


def version_troubles(root: Path) -> list[str]:
    """Return what is wrong with the versions, a sentence each; none if all agree and the changelog has a date."""
    version = package_version(root)
    client = _found(_CLIENT, root / "client" / "fishgate_client" / "version.py").group(1)
    newest, date = _found(_HEADING, root / "CHANGELOG.md").groups()
    troubles = []
    if client != version:
        troubles.append(f"the client's version is {client}, that of pyproject.toml {version}")
    if newest != version:
        troubles.append(f"the changelog's newest entry is {newest}, the version in pyproject.toml {version}")
    if not _DATE.fullmatch(date):
        troubles.append(f"the changelog says {newest} ({date}); wanted is the day of the release, as (2026-12-31)")
    return troubles


def _found(pattern: re.Pattern[str], path: Path) -> re.Match[str]:
    found = pattern.search(path.read_text(encoding="utf-8"))
    if not found:
        raise ReleaseError(f"there is no version in {path.name}")
    return found
