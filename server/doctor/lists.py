"""Species lists: whether the operator's own can be served, and are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from server.bootstrap import ROOT
from server.configuration import Settings
from server.doctor.finding import Finding, broken, good, warning


def check_lists(settings: Settings) -> Iterator[Finding]:
    """Find lists that would be refused, or that the server does not have as they are now."""
    folder = settings.own_lists
    paths = sorted(folder.glob("*.csv"))
    # A process of its own: what a list is, the library knows, and this room does not know the library.
    command = [sys.executable, "-m", "packs.check_lists", *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        yield broken("lists", f"they cannot be looked at: {last}", "mend the lines about requirements first")
        return
    refused = json.loads(done.stdout)
    for name, reason in refused.items():
        yield broken("lists", reason, f"mend {folder / name}, or take it out; no server starts with it")
    changed = [path.name for path in paths if path.name not in refused and not _is_served(settings, path.name)]
    if changed:
        yield warning("lists", f"not served as they are now: {', '.join(changed)}", "run scripts/serve")
    if not refused and not changed:
        yield good("lists", f"{len(paths)} in {folder}")


def _is_served(settings: Settings, name: str) -> bool:
    served = settings.lists / name
    return served.is_file() and served.read_bytes() == (settings.own_lists / name).read_bytes()
