"""What ``benchmarks/isolation`` does: confident pictures alone and beside deferred ones, in turn."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass
from statistics import median

from benchmarks.deployments import paced_server, workflow_url
from benchmarks.load import Run, Sample
from benchmarks.open_loop import Arrival, arrival_times, merged, send_on_schedule
from benchmarks.outcome import MeasurementError, Outcome, say
from benchmarks.pictures import bright_picture, dark_picture
from server.management import TorchServe

TARGET = 1.5
ZERO_SHOT_PER_SECOND = 8 / 0.2
"""What the paced zero-shot can do; offered more, its queue only grows and nothing is measured."""

WARM_UP_S = 3.0
LATE_MS = 50.0
"""A client that is later than this with sending has measured itself."""


@dataclass(frozen=True)
class Round:
    """One round: the confident pictures' durations, and how the deferred ones fared."""

    p50_ms: float
    p99_ms: float
    confident: int
    deferred: int
    degraded: int
    lost: int
    latest_ms: float


def measure(options: argparse.Namespace) -> Outcome:
    """Run the rounds in turn and compare the medians of their p99."""
    extra = deferred_rate(options.rate, options.deferred)
    if extra > 0.9 * ZERO_SHOT_PER_SECOND:
        raise MeasurementError(
            f"{extra:.0f} deferred a second overload the paced zero-shot ({ZERO_SHOT_PER_SECOND:.0f}); lower --rate"
        )
    seconds = options.requests / options.rate if options.requests else options.seconds
    alone, beside = [], []
    with paced_server() as torchserve:
        _round(torchserve, options, rate=options.rate, extra=extra, seconds=WARM_UP_S, seed=0)
        for number in range(1, options.rounds + 1):
            alone.append(_round(torchserve, options, rate=options.rate, extra=0.0, seconds=seconds, seed=number))
            beside.append(_round(torchserve, options, rate=options.rate, extra=extra, seconds=seconds, seed=number))
            say(f"round {number}: p99 {alone[-1].p99_ms:.1f} ms alone, {beside[-1].p99_ms:.1f} ms beside deferred")
    return _outcome(alone, beside)


def deferred_rate(confident_rate: float, fraction: float) -> float:
    """Return the rate of deferred pictures that makes them this fraction of the whole traffic."""
    return confident_rate * fraction / (1.0 - fraction)


def round_from(run: Run, *, latest_s: float) -> Round:
    """Tell the confident from the deferred by what the answers say, and take the percentiles."""

    def is_confident(sample: Sample) -> bool:
        return sample.answer is not None and not sample.is_flagged("deferred")

    p50_ms, p99_ms = run.percentiles_ms(50, 99, only=is_confident)
    return Round(
        p50_ms=p50_ms,
        p99_ms=p99_ms,
        confident=sum(map(is_confident, run.samples)),
        deferred=sum(sample.is_flagged("deferred") for sample in run.samples),
        degraded=sum(sample.is_flagged("degraded") for sample in run.samples),
        lost=len(run.lost),
        latest_ms=latest_s * 1000,
    )


def _round(
    torchserve: TorchServe, options: argparse.Namespace, *, rate: float, extra: float, seconds: float, seed: int
) -> Round:
    bright, dark = bright_picture(), dark_picture()
    # The same seed in both conditions: the confident pictures are due at the very same moments.
    confident = arrival_times(rate, seconds, kind=options.arrivals, seed=seed)
    deferred = arrival_times(extra, seconds, kind=options.arrivals, seed=10_000 + seed)
    arrivals = merged([Arrival(due_s, bright) for due_s in confident], [Arrival(due_s, dark) for due_s in deferred])
    sending = send_on_schedule(workflow_url(torchserve), torchserve.token("inference"), arrivals)
    run, latest_s = asyncio.run(sending)
    return round_from(run, latest_s=latest_s)


def _outcome(alone: list[Round], beside: list[Round]) -> Outcome:
    p99_alone_ms, p99_beside_ms = (median(one.p99_ms for one in rounds) for rounds in (alone, beside))
    ratio = p99_beside_ms / p99_alone_ms
    both = [*alone, *beside]
    lost, latest_ms = sum(one.lost for one in both), max(one.latest_ms for one in both)
    if latest_ms > LATE_MS:
        say(f"the client itself was up to {latest_ms:.0f} ms late with sending: this machine is busy with other things")
    figures = {
        "ratio": ratio,
        "p99_alone_ms": p99_alone_ms,
        "p99_beside_ms": p99_beside_ms,
        "p50_alone_ms": median(one.p50_ms for one in alone),
        "p50_beside_ms": median(one.p50_ms for one in beside),
        "confident": sum(one.confident for one in both),
        "deferred": sum(one.deferred for one in beside),
        "degraded": sum(one.degraded for one in both),
        "lost": lost,
        "client_late_ms": latest_ms,
        "rounds": len(alone),
    }
    details = {"alone": [vars(one) for one in alone], "beside": [vars(one) for one in beside]}
    is_reached = ratio <= TARGET and not lost
    return Outcome("isolation", f"ratio ≤ {TARGET}, nothing lost", is_reached, figures, details)
