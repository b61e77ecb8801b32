"""The species lists of a server: brought together before it starts.

Owns where they come from and whether something has changed. What a list is, and how its
embeddings are computed, ``packs.prepare_lists`` knows, which runs as a process of its own.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from server.archives import BuildError
from server.bootstrap import ROOT
from server.configuration import Settings


def prepare_lists(settings: Settings, say: Callable[[str], None]) -> bool:
    """Bring the lists of the pack and of the operator into the server's folder; return whether they changed.

    Raises BuildError if one of them cannot be served.
    """
    pack = ROOT / "models" / "zero_shot" / settings.pack
    before = _fingerprint(settings.lists)
    if _holds_lists(pack / "species_lists") or _holds_lists(settings.own_lists):
        _run(settings, pack, say)
    else:
        shutil.rmtree(settings.lists, ignore_errors=True)
    return before != _fingerprint(settings.lists)


def _run(settings: Settings, pack: Path, say: Callable[[str], None]) -> None:
    say("looking through the species lists")
    command = [sys.executable, "-m", "packs.prepare_lists", "--pack", str(pack), "--device", settings.device]
    command += ["--lists", str(settings.own_lists), "--target", str(settings.lists)]
    # Its progress and its refusal go to our own stderr, whoever reads that.
    if subprocess.run(command, cwd=ROOT).returncode:
        raise BuildError("the species lists cannot be served as they are; the line above says why")


def _holds_lists(folder: Path) -> bool:
    return any(folder.glob("*.csv"))


def _fingerprint(folder: Path) -> str:
    """Return the hash of lists and records; a record names the hash of its embeddings."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.csv"), *folder.glob("*.json")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
