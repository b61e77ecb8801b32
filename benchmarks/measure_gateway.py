"""What ``benchmarks/gateway`` does: our gateway, a server written by hand and TorchServe itself, in turn."""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.deployments import paced_server
from benchmarks.doors import Door, by_hand_door, expert_door, gateway_door
from benchmarks.load import Run, Sample
from benchmarks.outcome import Figure, MeasurementError, Outcome, say
from benchmarks.processor_time import processor_s, spent_s, torchserve_pids
from benchmarks.quick_client import Load, Sent, send_quickly

TARGET_CONFIDENT, TARGET_DEFERRED = 0.75, 0.95
CLIENT_LIMITS = 0.9
"""A client that takes more of a core than this has measured itself."""


@dataclass(frozen=True)
class Round:
    """What one door did under one load, its warm-up left out.

    ``p50_ms`` and ``p99_ms`` are those of confident pictures; ``cpu_ms`` is the processor time of a request by
    process, in milliseconds; ``client_share`` is the part of one core that the client took.
    """

    door: str
    per_second: float
    p50_ms: float
    p99_ms: float
    lost: int
    degraded: int
    deferred: float
    cpu_ms: dict[str, float]
    client_share: float


def measure(options: argparse.Namespace) -> Outcome:
    """Run the rounds in turn, each door idle while another is asked."""
    with tempfile.TemporaryDirectory(prefix="fishgate-") as scratch, ExitStack() as stack:
        torchserve = stack.enter_context(paced_server())
        doors = [
            stack.enter_context(by_hand_door()),
            stack.enter_context(gateway_door(torchserve, Path(scratch) / "gateway", cache_bytes=options.cache_bytes)),
            expert_door(torchserve),
        ]
        pids = torchserve_pids(torchserve)
        doors = [doors[0], *(replace(door, pids={**door.pids, **pids}) for door in doors[1:])]
        numbers = itertools.count(0, 1_000_000)
        for door in doors:  # Java compiles what it runs often; nobody's first seconds count
            for deferred in _conditions(door, options):
                _round(door, options, deferred=deferred, first=next(numbers))
        rounds = [
            _round(door, options, deferred=deferred, first=next(numbers))
            for number in range(options.rounds)
            for door in (doors if number % 2 == 0 else doors[::-1])
            for deferred in _conditions(door, options)
        ]
    return outcome_from(rounds)


def round_from(door: str, sent: Sent, cpu_s: dict[str, float], *, warm_up_s: float, until_s: float) -> Round:
    """Take the figures of the time between ``warm_up_s`` and ``until_s``, both from the start of the run."""

    def is_confident(sample: Sample) -> bool:
        return sample.started_s >= warm_up_s and sample.answer is not None and not sample.is_flagged("deferred")

    run = sent.run
    steady = [sample for sample in run.samples if warm_up_s <= sample.ended_s < until_s and sample.answer is not None]
    if not any(map(is_confident, run.samples)):
        raise MeasurementError(f"{door} answered nothing: {run.samples[0].failure if run.samples else 'no request'}")
    p50_ms, p99_ms = run.percentiles_ms(50, 99, only=is_confident)
    return Round(
        door=door,
        per_second=len(steady) / (until_s - warm_up_s),
        p50_ms=p50_ms,
        p99_ms=p99_ms,
        lost=len(run.lost),
        degraded=sum(sample.is_flagged("degraded") for sample in run.samples),
        deferred=sum(sample.is_flagged("deferred") for sample in steady) / len(steady),
        cpu_ms={name: 1000 * spent / len(run.samples) for name, spent in cpu_s.items()},
        client_share=sent.client_cpu_s / run.seconds,
    )


def _conditions(door: Door, options: argparse.Namespace) -> Iterator[float]:
    """Give the fractions of deferred pictures that a door is asked with; the bare expert defers nothing."""
    yield 0.0
    if door.name != "direct":
        yield options.deferred


def _round(door: Door, options: argparse.Namespace, *, deferred: float, first: int) -> Round:
    load = Load(
        port=door.port,
        path=door.path,
        clients=options.clients,
        seconds=options.warm_up + options.seconds,
        deferred=deferred,
        first=first,
        token=door.token,
        expected=door.expected,
    )
    before = processor_s(door.pids)
    sent = send_quickly(load)
    spent = {**spent_s(before, processor_s(door.pids)), "client": sent.client_cpu_s}
    found = round_from(door.name, sent, spent, warm_up_s=options.warm_up, until_s=load.seconds)
    _tell(found, sent.run)
    return found


def _tell(found: Round, run: Run) -> None:
    shares = ", ".join(f"{name} {spent:.2f}" for name, spent in found.cpu_ms.items())
    say(
        f"{found.door}, {found.deferred:.0%} deferred: {found.per_second:.0f} a second, "
        f"confident p50 {found.p50_ms:.0f} p99 {found.p99_ms:.0f} ms; processor ms a request: {shares}"
    )
    if found.lost:
        say(f"{found.lost} were not answered, the first: {run.lost[0].failure}")
    if found.client_share > CLIENT_LIMITS:
        say(f"the client took {found.client_share:.0%} of a core: it limits what is measured")


def outcome_from(rounds: list[Round]) -> Outcome:
    """Compare the doors by the medians of their rounds."""
    confident = [one for one in rounds if not one.deferred]
    deferred = [one for one in rounds if one.deferred]
    ratio, ratio_deferred = _ratio(confident), _ratio(deferred)
    lost = sum(one.lost for one in rounds)
    figures: dict[str, Figure] = {
        "ratio": ratio,
        "ratio_deferred": ratio_deferred,
        **_rates(confident, ""),
        **_rates(deferred, "_deferred"),
        **_latencies(deferred),
        "lost": lost,
        "degraded": sum(one.degraded for one in rounds),
        "client_share": max(one.client_share for one in rounds),
        "rounds": sum(one.door == "gateway" for one in confident),
    }
    is_reached = ratio >= TARGET_CONFIDENT and ratio_deferred >= TARGET_DEFERRED and not lost
    details: dict[str, Any] = {"rounds": [vars(one) for one in rounds]}
    target = f"gateway ÷ by hand ≥ {TARGET_CONFIDENT} with nothing deferred, ≥ {TARGET_DEFERRED} with some; none lost"
    return Outcome("gateway", target, is_reached, figures, details)


def _ratio(rounds: list[Round]) -> float:
    """Return the median of ours ÷ by hand, each round with its neighbour of the same turn."""
    ours = [one.per_second for one in rounds if one.door == "gateway"]
    theirs = [one.per_second for one in rounds if one.door == "by_hand"]
    return median(our / their for our, their in zip(ours, theirs, strict=True))


def _rates(rounds: list[Round], ending: str) -> dict[str, float]:
    doors = dict.fromkeys(one.door for one in rounds)
    return {
        f"{door}_per_second{ending}": median(one.per_second for one in rounds if one.door == door) for door in doors
    }


def _latencies(rounds: list[Round]) -> dict[str, float]:
    return {
        f"{door}_{name}": median(getattr(one, name) for one in rounds if one.door == door)
        for door in dict.fromkeys(one.door for one in rounds)
        for name in ("p50_ms", "p99_ms")
    }
