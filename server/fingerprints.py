"""Telling whether files have changed: the hash of their names and contents.

Owns the hash only; what follows from a change is its users' business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from server.bootstrap import ROOT


def files_in(folder: Path) -> list[Path]:
    """Return all files below a folder, in the order of their paths; compiled ones are left out."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def fingerprint(paths: Iterable[Path], *more: str) -> str:
    """Return the SHA-256, in hex, of files by name and content, and of further texts."""
    digest = hashlib.sha256()
    for path in paths:
        for part in _named_content(path):
            digest.update(part)
    for text in more:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()


def _named_content(path: Path) -> Iterator[bytes]:
    yield str(path.relative_to(ROOT)).encode() if path.is_relative_to(ROOT) else path.name.encode()
    yield path.read_bytes()
