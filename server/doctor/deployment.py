"""A change of a model: whether one was left half done, or waits for a word, or was found bad by the gateway."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from server import instance
from server.configuration import Settings
from server.deploy.alone import LOCK
from server.deploy.errors import DeployError
from server.deploy.journal import JOURNAL, WHAT_ENDS_IT, Deployment, Phase, read_journal
from server.deploy.traffic import set_aside
from server.doctor.finding import Finding, broken, good, warning

PART = "deployment"
HALF_A_DAY_S = 12 * 3600.0
"""A canary that is older was probably forgotten: its figures tell by then what they can."""

_LOCKS = Path("/proc/locks")
_LOOK = "look with scripts/deploy_model --status"


def check_deployment(settings: Settings) -> Iterator[Finding]:
    """Find a change of a model that did not come to its end, and a canary that was forgotten or failed."""
    try:
        found = read_journal(settings.home)
    except DeployError as error:
        seen, _, advice = str(error).partition("; ")
        yield broken(PART, seen, advice)
        return
    if found is None:
        yield good(PART, "no change of a model is under way")
    elif is_at_work(settings.home):
        yield good(PART, f"a change to {', '.join(found.paths)} is under way ({found.phase.value})")
    elif instance.running(settings) is None:
        seen = f"a change to {', '.join(found.paths)} was under way when the server ended ({found.phase.value})"
        yield warning(PART, seen, "run scripts/serve, which ends or undoes it")
    elif found.phase is Phase.CANARY:
        yield _canary(found, settings)
    else:
        seen = f"a change to {', '.join(found.paths)} is half done ({found.phase.value}), and nobody is at work on it"
        yield warning(PART, seen, f"{_LOOK}; {WHAT_ENDS_IT[found.phase]}")


def is_at_work(home: Path) -> bool:
    """Tell whether a script holds the lock of this home. To try to take it would be in the way of others."""
    try:
        number = (home / LOCK).stat().st_ino
        lines = _LOCKS.read_text().splitlines()
    except OSError:  # it was never taken, or this system shows no locks
        return False
    return any(part.endswith(f":{number}") for line in lines if " FLOCK " in line for part in line.split())


def _canary(found: Deployment, settings: Settings) -> Finding:
    refused = sorted(set(found.paths).intersection(set_aside(settings.home)))
    if refused:
        seen = f"the gateway sends {', '.join(refused)} nothing any more: it failed too often"
        return warning(PART, seen, f"{settings.gateway_log} says how; undo it with scripts/deploy_model --roll-back")
    age_s = time.time() - (settings.home / JOURNAL).stat().st_mtime
    seen = f"a canary gets {found.share:.0%} since {age_s / 3600:.0f} h: {', '.join(found.paths)}"
    return warning(PART, seen, f"{_LOOK}; {WHAT_ENDS_IT[Phase.CANARY]}") if age_s > HALF_A_DAY_S else good(PART, seen)
