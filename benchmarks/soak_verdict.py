"""Is it flat? Pure judgement on what was read and what became of the requests.

Owns which stretches of time are compared and how much may differ. Each server is judged over its last life, which began
with its last restart or kill: the time after its warm-up against the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.measure_leaks import TOLERANCES
from benchmarks.outcome import MeasurementError
from benchmarks.soak_readings import Reading
from benchmarks.soak_stage import Disturbance
from benchmarks.soak_traffic import ANSWERED, Kind, Passage

BEFORE, AFTER = (0.2, 0.4), (0.8, 1.0)
"""The parts of a life that are compared: what comes before is warm-up."""

LATENCY_PART = 0.2
"""The first and the last part of the run whose latencies are compared."""

GRACE_S = 5.0
"""How long after a disturbance requests still belong to it: they were waiting meanwhile."""

FILES = 10
"""Connections come and go: by so many the open files may differ."""

_UNITS = {"rss_mb": "MB", "heap_mb": "MB", "threads": "", "files": ""}


@dataclass(frozen=True)
class Level:
    """Something that must not grow by more than ``allowed``; None says that it is only told."""

    what: str
    unit: str
    before: float
    after: float
    allowed: float | None

    @property
    def is_flat(self) -> bool:
        """Whether it stayed where it was, or sank."""
        return self.allowed is None or self.after - self.before <= self.allowed


@dataclass(frozen=True)
class Fates:
    """What became of the requests. ``refused`` and ``excused`` fell into a restart: good ones without answer, bad
    ones without their own code; outside of one they are ``lost`` and ``wrong``, by reason."""

    lost: Counter[str]
    wrong: Counter[str]
    refused: int
    excused: int
    degraded: int


def fates(passages: Sequence[Passage], disturbances: Sequence[Disturbance]) -> Fates:
    """Sort the requests by what became of them."""
    restarts = [one for one in disturbances if one.is_restart]
    lost, wrong = Counter[str](), Counter[str]()
    refused = excused = 0
    for one in passages:
        if one.kind is Kind.ABORTED or one.failure == one.code:
            continue
        is_good, is_excused = one.kind in ANSWERED, _meets(one, restarts)
        if is_excused:
            refused, excused = refused + is_good, excused + (not is_good)
        elif is_good:
            lost[f"{one.kind.value}: {one.failure}"] += 1
        else:
            wrong[f"{one.code}: {one.failure}"] += 1
    return Fates(lost, wrong, refused, excused, sum(one.is_degraded for one in passages))


def undisturbed(passages: Sequence[Passage], disturbances: Sequence[Disturbance]) -> list[Passage]:
    """Return the answered requests of confident pictures that no disturbance touched."""
    plain = [one for one in passages if one.kind is Kind.BRIGHT and one.failure is None]
    return [one for one in plain if not _meets(one, disturbances)]


def latency_levels(passages: Sequence[Passage], disturbances: Sequence[Disturbance], *, seconds: float) -> list[Level]:
    """Compare latencies of the first part of a run of so many seconds with those of its last, in milliseconds."""
    calm = undisturbed(passages, disturbances)
    first = [one.seconds * 1000 for one in calm if one.started_s <= LATENCY_PART * seconds]
    last = [one.seconds * 1000 for one in calm if one.started_s >= (1 - LATENCY_PART) * seconds]
    if min(len(first), len(last)) < 20:
        raise MeasurementError(f"{len(first)} and {len(last)} undisturbed answers are too few to compare; run longer")
    before, after = (np.percentile(values, (50, 99)) for values in (first, last))
    return [
        Level("p50", "ms", float(before[0]), float(after[0]), max(5.0, 0.25 * float(before[0]))),
        Level("p99", "ms", float(before[1]), float(after[1]), max(25.0, 0.5 * float(before[1]))),
    ]


def process_levels(readings: Sequence[Reading]) -> list[Level]:
    """Compare each process after its warm-up with its end; raises MeasurementError if it was read too seldom."""
    processes = dict.fromkeys(one.process for one in readings)
    return [level for process in processes for level in _levels(process, last_life(readings, process))]


def last_life(readings: Sequence[Reading], process: str) -> list[Reading]:
    """Return the readings of a process since it began for the last time."""
    of_it = [one for one in readings if one.process == process]
    return [one for one in of_it if one.pid == of_it[-1].pid]


def _levels(process: str, life: Sequence[Reading]) -> list[Level]:
    measures = ["rss_mb", "threads", "files", *(["heap_mb"] if process == "java" else [])]
    found = []
    for measure in measures:
        before, after = (_level(process, life, measure, part) for part in (BEFORE, AFTER))
        allowed = _allowed(process, measure, before)
        found.append(Level(f"{process}_{measure}", _UNITS[measure], before, after, allowed))
    return found


def _level(process: str, life: Sequence[Reading], measure: str, part: tuple[float, float]) -> float:
    born_s, length_s = life[0].at_s, life[-1].at_s - life[0].at_s
    begin_s, end_s = (born_s + share * length_s for share in part)
    values = [getattr(one, measure) for one in life if begin_s <= one.at_s <= end_s]
    values = [value for value in values if value is not None]
    if not values:
        raise MeasurementError(f"{process} was read too seldom to tell {measure}; run longer")
    return float(median(values))


def _allowed(process: str, measure: str, before: float) -> float | None:
    if measure == "threads":
        return TOLERANCES.threads
    if measure == "files":
        return FILES
    if measure == "heap_mb":
        return TOLERANCES.heap_mb
    # Java's resident memory holds heap that its collector keeps for later: told, not judged.
    return None if process == "java" else TOLERANCES.worker_allowed_mb(before)


def _meets(one: Passage, disturbances: Sequence[Disturbance]) -> bool:
    return any(one.started_s <= it.ended_s + GRACE_S and one.ended_s >= it.began_s for it in disturbances)
