"""The species lists' text embeddings for a new zero-shot, beside those of the old one.

Owns that both versions find theirs in the server's folder while both run, and that the folder is afterwards as a
start of the server would make it. The lists themselves cannot change while a server runs: its workers read them once.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from server.configuration import Settings
from server.deploy.errors import DeployError
from server.lists import prepare_lists
from server.storing import write_whole

_ADDED = "added.json"


def scratch_folder(home: Path) -> Path:
    """Return the folder of what a change needs only while it is under way."""
    return home / "deploying"


def lay_embeddings_beside(settings: Settings, pack: str, say: Callable[[str], None]) -> None:
    """Compute what is missing and copy it into the server's folder; raise DeployError if the lists are others."""
    scratch = scratch_folder(settings.home)
    wanted = replace(settings, home=scratch, pack=pack)
    wanted.home.mkdir(parents=True, exist_ok=True)
    prepare_lists(wanted, say)
    if _lists(wanted.lists) != _lists(settings.lists):
        raise DeployError(
            f"the species lists with the pack {pack!r} are not those that the server has; "
            "lists cannot change while it runs: start it anew with scripts/serve"
        )
    added = sorted(_names(wanted.lists) - _names(settings.lists))
    write_whole(scratch / _ADDED, json.dumps(added))
    for name in added:
        shutil.copyfile(wanted.lists / name, settings.lists / name)


def drop_old_embeddings(settings: Settings) -> None:
    """Keep what the new zero-shot needs."""
    wanted = replace(settings, home=scratch_folder(settings.home)).lists
    if wanted.is_dir():
        for name in _names(settings.lists) - _names(wanted):
            (settings.lists / name).unlink()


def drop_new_embeddings(settings: Settings) -> None:
    """Take out again what was copied for the new zero-shot."""
    path = scratch_folder(settings.home) / _ADDED
    for name in json.loads(path.read_text()) if path.exists() else []:
        (settings.lists / name).unlink(missing_ok=True)


def _lists(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()
