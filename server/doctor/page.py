"""The page that ``scripts/doctor`` shows, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from server.doctor.finding import Finding, State, worst

_MARKS = {State.GOOD: "good   ", State.WARNING: "WARNING", State.BROKEN: "BROKEN "}
_SUMS = {
    State.GOOD: "All is well.",
    State.WARNING: "It works, or would if it were started; what is marked should be looked at.",
    State.BROKEN: "Something is broken; mend what is marked, from the top.",
}


def as_text(findings: Sequence[Finding]) -> str:
    """Return the page: a line for each finding, below it how to mend it, and a sum."""
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.state]}  {finding.part:<12}  {finding.seen}")
        if finding.mend:
            lines.append(f"{'':23}→ {finding.mend}")
    return "\n".join([*lines, "", _SUMS[worst(findings)]])


def as_json(findings: Sequence[Finding]) -> str:
    """Return one JSON object: the worst state, and all findings."""
    told = [
        {"part": finding.part, "state": finding.state.name.lower(), "seen": finding.seen, "mend": finding.mend}
        for finding in findings
    ]
    return json.dumps({"state": worst(findings).name.lower(), "findings": told}, ensure_ascii=False, indent=1)
