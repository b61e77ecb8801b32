"""What a benchmark ends with: one line of result, and on demand a record of it.

Owns the form of both and the exit status. What is measured is each benchmark's own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks import machine
from server.archives import BuildError
from server.bootstrap import ROOT
from server.instance import StartError
from server.management import ManagementError

RESULTS = ROOT / "benchmarks" / "results"
NOT_MEASURED = 2

Figure = int | float | str | Mapping[str, int | float]


class MeasurementError(Exception):
    """It could not be measured; the message says why."""


@dataclass(frozen=True)
class Outcome:
    """What was measured: ``figures`` stand in the line, ``details`` only in the record.

    ``target`` is the figure to reach in words, ``is_reached`` None if there is none.
    """

    name: str
    target: str
    is_reached: bool | None
    figures: Mapping[str, Figure]
    details: Mapping[str, Any] = field(default_factory=dict)


def say(text: str) -> None:
    """Tell the progress; the result alone goes to stdout."""
    print(f"fishgate: {text}", file=sys.stderr, flush=True)


def report(measure: Callable[[argparse.Namespace], Outcome], options: argparse.Namespace) -> int:
    """Measure, print the line of result, record it if that is wanted, and return the exit status."""
    hardware = machine.hardware()  # before: its load average is to show what else was going on
    try:
        outcome = measure(options)
    except (MeasurementError, BuildError, StartError, ManagementError, OSError) as error:
        say(f"could not measure: {error}")
        return NOT_MEASURED
    if options.record:
        path = write_record(outcome, settings=settings_of(options), hardware=hardware, folder=RESULTS)
        say(f"recorded in {path.relative_to(ROOT)}")
    print(result_line(outcome), flush=True)
    return 0


def result_line(outcome: Outcome) -> str:
    """Return the one line: name, figures, PASS or MISS."""
    figures = " ".join(f"{name}={_shown(value)}" for name, value in outcome.figures.items())
    verdict = {True: " PASS", False: " MISS", None: ""}[outcome.is_reached]
    return f"{outcome.name}: {figures}{verdict}"


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options that the figures depend on."""
    others = ("record", "report", "no_environment")
    return {name: value for name, value in vars(options).items() if name not in others}


def write_record(outcome: Outcome, *, settings: Mapping[str, Any], hardware: Mapping[str, Any], folder: Path) -> Path:
    """Write the figures with all that they depend on; return the path of the file."""
    today = date.today().isoformat()
    value = {
        "benchmark": outcome.name,
        "date": today,
        "target": outcome.target,
        "reached": outcome.is_reached,
        "figures": outcome.figures,
        "details": outcome.details,
        "settings": settings,
        "hardware": hardware,
        "versions": machine.versions(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{outcome.name}-{today}.json"
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _shown(value: Figure) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{_shown(part)}" for name, part in value.items()) or "none"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)
