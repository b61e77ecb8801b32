"""What a check finds: one sentence about an installation, and how to mend it.

Owns the three states and their order. Checks look and change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class State(IntEnum):
    """How bad it is; the worst of all is the exit status of ``scripts/doctor``."""

    GOOD = 0
    WARNING = 1
    BROKEN = 2


@dataclass(frozen=True)
class Finding:
    """``part`` says of what, ``seen`` what was seen, ``mend`` what to do about it, if anything."""

    part: str
    state: State
    seen: str
    mend: str = ""


def good(part: str, seen: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(part, State.GOOD, seen)


def warning(part: str, seen: str, mend: str) -> Finding:
    """Return a finding that Fishgate can live with."""
    return Finding(part, State.WARNING, seen, mend)


def broken(part: str, seen: str, mend: str) -> Finding:
    """Return a finding that keeps Fishgate from working."""
    return Finding(part, State.BROKEN, seen, mend)


def worst(findings: Iterable[Finding]) -> State:
    """Return the worst state among the findings; good if there are none."""
    return max((finding.state for finding in findings), default=State.GOOD)
