"""What ``benchmarks/soak`` does: mixed traffic for a long time, kills and restarts, and whether all stays flat."""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests

from benchmarks.deployments import paced_server
from benchmarks.outcome import Figure, MeasurementError, Outcome, say
from benchmarks.soak_readings import Watcher
from benchmarks.soak_report import Soak, write_report
from benchmarks.soak_stage import Disturbance, Disturber, Stage, plan
from benchmarks.soak_traffic import Kind, Traffic
from benchmarks.soak_verdict import Fates, Level, fates, latency_levels, process_levels
from server.management import TorchServe

CACHE_BYTES = 1_000_000
"""So small that it is full soon: what grows after that is no memory of answers."""

BODY_LIMIT_S = 5.0
"""How long the gateway waits for a picture: short, so that many clients stop halfway within an hour."""

_READINGS = 180
_HELD = re.compile(r"^fishgate_gateway_(pictures_in_work|pictures_waiting|picture_bytes) (\S+)$", re.MULTILINE)
_OPINIONS = re.compile(r'^fishgate_gateway_shadow_total\{result="(\w+)"\} (\S+)$', re.MULTILINE)
_REST_S = 10.0


@dataclass(frozen=True)
class Rest:
    """What the gateway tells some time after the end.

    ``held`` are the pictures, and bytes of them, that it still counts: it should hold none. ``second_opinions`` are
    those that the drift monitor got since the gateway's last restart, by result.
    """

    held: float
    second_opinions: Mapping[str, int]


def measure(options: argparse.Namespace) -> Outcome:
    """Run for the time that is set, judge, and write the report."""
    with paced_server() as torchserve, tempfile.TemporaryDirectory(prefix="fishgate-") as scratch:
        soak, rest = _run(torchserve, Path(scratch) / "gateway", options)
    outcome = outcome_from(soak, rest)
    path = write_report(soak, outcome, Path(options.report))
    say(f"the report is in {path}")
    return outcome


def shares_of(options: argparse.Namespace) -> dict[Kind, float]:
    """Return the parts of the kinds of requests; raise MeasurementError if they are more than all."""
    shares: dict[Kind, float] = {kind: float(getattr(options, kind.value)) for kind in Kind if kind is not Kind.BRIGHT}
    rest = 1.0 - sum(shares.values())
    if rest <= 0.0 or min(shares.values()) < 0.0:
        raise MeasurementError(
            f"the parts of the requests must leave some for bright pictures, but sum to {1 - rest:g}"
        )
    return {Kind.BRIGHT: rest, **shares}


def _run(torchserve: TorchServe, home: Path, options: argparse.Namespace) -> tuple[Soak, Rest]:
    """Return the soak, and what the gateway tells some time after its end."""
    seconds = options.minutes * 60.0
    with Stage(torchserve, home, cache_bytes=CACHE_BYTES, body_limit_s=BODY_LIMIT_S) as stage:
        traffic = Traffic(shares_of(options), port=lambda: stage.door.port)
        events = plan(seconds, kill_every_s=options.kill_every)
        say(f"{options.minutes:g} minutes of {options.per_second:g} requests a second, {len(events)} disturbances")
        started_s = time.perf_counter()
        watcher = Watcher(stage.pids, every_s=max(2.0, seconds / _READINGS), started_s=started_s)
        with watcher, Disturber(stage, events, started_s=started_s) as disturber:
            asyncio.run(traffic.send(per_second=options.per_second, seconds=seconds, started_s=started_s))
        if disturber.failure:
            raise MeasurementError(f"the disturbances could not go on: {disturber.failure}")
        time.sleep(_REST_S)
        rest = rest_from(requests.get(f"http://127.0.0.1:{stage.door.port}/metrics", timeout=30).text)
    return Soak(seconds, traffic.passages, watcher.readings, disturber.done), rest


def rest_from(text: str) -> Rest:
    """Read the gateway's metrics; raise MeasurementError if they do not tell."""
    held = [float(value) for _, value in _HELD.findall(text)]
    opinions = {result: round(float(value)) for result, value in _OPINIONS.findall(text)}
    if len(held) != 3 or not opinions:
        raise MeasurementError("the gateway's metrics do not tell which pictures it holds, or no second opinions")
    return Rest(sum(held), opinions)


def outcome_from(soak: Soak, rest: Rest) -> Outcome:
    """Judge a soak and what was there after it."""
    found = fates(soak.passages, soak.disturbances)
    levels = all_levels(soak)
    for reason, count in [*found.lost.items(), *found.wrong.items()]:
        say(f"{count} times: {reason}")
    for level in levels:
        if not level.is_flat:
            say(f"not flat: {level.what} {shown(level)}")
    figures: dict[str, Figure] = {
        "lost": found.lost.total(),
        "wrong_codes": found.wrong.total(),
        "refused_in_restarts": found.refused,
        "degraded": found.degraded,
        **{level.what: shown(level) for level in levels},
        "held": round(rest.held),
        "second_opinions": rest.second_opinions,
        "disturbances": _counted(one.what for one in soak.disturbances),
        "kinds": _counted(one.kind.value for one in soak.passages),
        "requests": len(soak.passages),
    }
    is_reached = not found.lost and not found.wrong and not rest.held and all(level.is_flat for level in levels)
    target = "lost = 0, every bad request with its own code, memory, threads, files and latency flat"
    return Outcome("soak", target, is_reached, figures, _details(found, levels, soak.disturbances))


def all_levels(soak: Soak) -> list[Level]:
    """Return all that is compared."""
    latency = latency_levels(soak.passages, soak.disturbances, seconds=soak.seconds)
    return [*process_levels(soak.readings), *latency]


def shown(level: Level) -> str:
    """Return a level as the line of result tells it."""
    places = 1 if level.unit == "ms" else 0
    return f"{level.before:.{places}f}→{level.after:.{places}f}"


def _counted(names: Any) -> Mapping[str, int]:
    return dict(sorted(Counter(names).items()))


def _details(found: Fates, levels: Sequence[Level], disturbances: Sequence[Disturbance]) -> dict[str, Any]:
    return {
        "lost": dict(found.lost),
        "wrong_codes": dict(found.wrong),
        "excused_codes_in_restarts": found.excused,
        "levels": [{**asdict(level), "is_flat": level.is_flat} for level in levels],
        "disturbances": [asdict(one) for one in disturbances],
    }
