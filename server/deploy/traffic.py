"""Telling the gateway which versions to ask, and reading how far it has followed.

Owns the two files from this side; ``gateway/traffic.py`` is the other. Why files: docs/decisions/blue_green.md.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from server.deploy.journal import Change
from server.storing import write_whole

TRAFFIC_FILE = "traffic.json"
SEEN_FILE = "traffic_seen.json"


def send_to_default(home: Path) -> str:
    """Let both models' packets go to TorchServe's default versions; return the mark of this writing."""
    return _write(home, {})


def send_to_new(home: Path, changes: Sequence[Change]) -> str:
    """Let the packets of the changed models go to their new versions; return the mark of this writing."""
    return _write(home, {change.model: _route(_target(change.name, change.new)) for change in changes})


def send_share_to_new(home: Path, changes: Sequence[Change], share: float) -> str:
    """Let a share of the packets go to the new versions, the others to the default; return the mark.

    What a new version fails at goes to the default too, and after some failures all of it: see ``set_aside``.
    """
    return _write(
        home,
        {
            change.model: _route(_target(change.name, None), _target(change.name, change.new), share)
            for change in changes
        },
    )


def forget_traffic(home: Path) -> None:
    """Remove the file: with another TorchServe all versions in it are gone."""
    (home / TRAFFIC_FILE).unlink(missing_ok=True)


def has_left(home: Path, mark: str, paths: Sequence[str]) -> bool:
    """Tell whether the gateway goes by this writing, and nothing is under way to these addresses any more."""
    seen = _read(home / SEEN_FILE)
    return bool(seen.get("mark") == mark) and not any(seen.get("busy", {}).get(path) for path in paths)


def set_aside(home: Path) -> list[str]:
    """Return the addresses that the gateway sends nothing more since the last writing, for they failed."""
    told, seen = _read(home / TRAFFIC_FILE), _read(home / SEEN_FILE)
    is_followed = "mark" in told and told["mark"] == seen.get("mark")
    return [str(path) for path in seen.get("set_aside", [])] if is_followed else []


def _read(path: Path) -> dict[str, Any]:
    """Return what stands in a file; nothing if it is not there or cannot be read, as if nobody had written it yet."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _target(name: str, version: str | None) -> dict[str, object]:
    return {"name": name, "version": version}


def _route(main: object, canary: object = None, share: float = 0.0) -> dict[str, object]:
    return {"main": main, "canary": canary, "share": share}


def _write(home: Path, routes: dict[str, object]) -> str:
    mark = secrets.token_hex(8)
    write_whole(home / TRAFFIC_FILE, json.dumps({"mark": mark, **routes}, indent=1))
    return mark
