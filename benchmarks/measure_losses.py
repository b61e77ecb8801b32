"""What ``benchmarks/losses`` does: valid requests, workers being killed, and what was lost."""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.deployments import java_of, paced_server, workflow_url
from benchmarks.killer import MODELS, Kill, Killer
from benchmarks.load import Run, send_many
from benchmarks.outcome import Figure, Outcome, say
from benchmarks.pictures import bright_picture, dark_picture
from server.management import TorchServe

SLOW_MS = 1000.0
"""Beyond what any paced model takes: such a request waited for a worker to come back, or for a retry."""

_RETRIED = re.compile(r"Timed out while executing (\w+) for attempt 0\b")


def measure(options: argparse.Namespace) -> Outcome:
    """Send all requests while workers are being killed, and count."""
    with paced_server() as torchserve:
        for model in MODELS if options.workers > 1 else ():
            torchserve.scale(model, options.workers)
        log_from = torchserve.settings.log.stat().st_size
        killer = Killer(torchserve, every_s=options.kill_every)
        started_s = time.perf_counter()
        with killer:
            run = _sent(torchserve, options)
        java_of(torchserve)
        if killer.failure:
            raise killer.failure
        retried = retried_nodes(log_text(torchserve.settings.log, log_from))
    return _outcome(run, killer.kills, killer.by_model(), retried, started_s=started_s)


def retried_nodes(log: str) -> dict[str, int]:
    """Return how often TorchServe's executor asked a node again, by node.

    It says so at ERROR for each first attempt that failed, in whatever way: the worker died (at
    once), or the reply never came (after the node's ``timeout-ms``).
    """
    return dict(Counter(match.group(1) for match in _RETRIED.finditer(log)))


def log_text(log: Path, start: int) -> str:
    """Return what was logged since the file had ``start`` bytes."""
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace")


def hit_by(run: Run, kills: Sequence[Kill], *, started_s: float) -> int:
    """Return how many requests were under way at the moment of a kill."""
    moments = [kill.at_s - started_s for kill in kills]
    return sum(any(one.started_s < moment < one.ended_s for moment in moments) for one in run.samples)


def is_deferred(index: int, fraction: float) -> bool:
    """Spread the deferred pictures evenly over the requests."""
    return int((index + 1) * fraction) > int(index * fraction)


def _sent(torchserve: TorchServe, options: argparse.Namespace) -> Run:
    bright, dark = bright_picture(), dark_picture()

    def progress(done: int) -> None:
        if done % max(1, options.requests // 20) == 0:
            say(f"{done:,} of {options.requests:,} requests")

    return asyncio.run(
        send_many(
            workflow_url(torchserve),
            torchserve.token("inference"),
            count=options.requests,
            clients=options.clients,
            picture_for=lambda index: dark if is_deferred(index, options.deferred) else bright,
            on_progress=progress,
        )
    )


def _outcome(
    run: Run, kills: Sequence[Kill], by_model: dict[str, int], retried: dict[str, int], *, started_s: float
) -> Outcome:
    p50_ms, p99_ms, p999_ms = run.percentiles_ms(50, 99, 99.9)
    degraded = sum(sample.is_flagged("degraded") for sample in run.samples)
    reasons = Counter(str(sample.failure) for sample in run.lost)
    for reason, count in reasons.items():
        say(f"{count} lost: {reason}")
    figures: dict[str, Figure] = {
        "lost": len(run.lost),
        "retried": sum(retried.values()),
        "degraded": degraded,
        "p50_ms": p50_ms,
        "p99_ms": p99_ms,
        "p999_ms": p999_ms,
        "slower_than_1s": sum(sample.seconds * 1000 > SLOW_MS for sample in run.samples),
        "under_way_at_a_kill": hit_by(run, kills, started_s=started_s),
        "kills": by_model,
        "requests": len(run.samples),
        "per_second": run.per_second,
    }
    details = {
        "retried_by_node": retried,
        "reasons": dict(reasons),
        "lost_by_second": sorted({round(sample.ended_s) for sample in run.lost}),
        "kills": [{"model": kill.model, "at_s": round(kill.at_s - started_s, 2)} for kill in kills],
        "slowest_ms": run.percentiles_ms(100)[0],
    }
    return Outcome("losses", "lost = 0 of 100,000", not run.lost, figures, details)
