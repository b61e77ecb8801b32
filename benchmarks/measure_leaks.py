"""What ``benchmarks/leaks`` does: the server's state before and after failing and good requests."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from benchmarks.deployments import paced_server, workflow_url
from benchmarks.footprint import Footprint, footprint
from benchmarks.load import Body, Run, send_many
from benchmarks.measure_losses import is_deferred
from benchmarks.outcome import Figure, Outcome, say
from benchmarks.pictures import bad_requests, bright_picture, dark_picture
from server.management import TorchServe


@dataclass(frozen=True)
class Tolerances:
    """What still counts as back to where it was.

    Threads: Java's own come and go (compiler, collector). Memory: allocators keep what they once
    took; a leak of 2 KB a request would show as 20 MB after 10,000.
    """

    threads: int = 3
    heap_mb: float = 20.0
    worker_mb: float = 20.0
    worker_fraction: float = 0.05

    def worker_allowed_mb(self, before_mb: float) -> float:
        """Return by how much a worker may have grown."""
        return max(self.worker_mb, self.worker_fraction * before_mb)


TOLERANCES = Tolerances()


def measure(options: argparse.Namespace) -> Outcome:
    """Warm up, read, send failing requests, read, send good ones, read."""
    with paced_server() as torchserve:
        say(f"warming up with {options.warm_up} requests")
        _send_failing(torchserve, options, options.warm_up // 4)
        _send_good(torchserve, options, options.warm_up - options.warm_up // 4)
        before = _read(torchserve, options, "before")
        failing = _send_failing(torchserve, options, options.failing)
        between = _read(torchserve, options, "after failing requests")
        good = _send_good(torchserve, options, options.requests)
        after = _read(torchserve, options, "after good requests")
    return _outcome([before, between, after], failing, good)


def left_behind(before: Footprint, after: Footprint, tolerances: Tolerances = TOLERANCES) -> list[str]:
    """Say what has not gone back to where it was; nothing if all has."""
    found = []
    if abs(after.java_threads - before.java_threads) > tolerances.threads:
        found.append(f"Java threads {before.java_threads} → {after.java_threads}")
    if after.workflow_threads:
        found.append(f"{after.workflow_threads} workflow threads")
    if after.java_heap_mb - before.java_heap_mb > tolerances.heap_mb:
        found.append(f"Java heap {before.java_heap_mb:.0f} → {after.java_heap_mb:.0f} MB")
    for model, before_mb in before.workers_rss_mb.items():
        if after.workers_rss_mb[model] - before_mb > tolerances.worker_allowed_mb(before_mb):
            found.append(f"{model} {before_mb:.0f} → {after.workers_rss_mb[model]:.0f} MB")
    if after.queued or after.spooled:
        found.append(f"{after.queued} requests in queues, {after.spooled} pictures in the spool")
    return found


def wrongly_answered(run: Run) -> Counter[str]:
    """Count the failing requests that were answered with another code than they must be, by kind."""
    kinds = bad_requests()
    return Counter(
        f"{kinds[sample.index % len(kinds)].name}: {sample.failure}"
        for sample in run.samples
        if sample.failure != kinds[sample.index % len(kinds)].code
    )


def _send_failing(torchserve: TorchServe, options: argparse.Namespace, count: int) -> Run:
    kinds = bad_requests()
    return _send(torchserve, options, count, [kind.body for kind in kinds])


def _send_good(torchserve: TorchServe, options: argparse.Namespace, count: int) -> Run:
    bright, dark = bright_picture(), dark_picture()
    bodies: list[Body] = [dark if is_deferred(index, options.deferred) else bright for index in range(max(1, count))]
    return _send(torchserve, options, count, bodies)


def _send(torchserve: TorchServe, options: argparse.Namespace, count: int, bodies: list[Body]) -> Run:
    return asyncio.run(
        send_many(
            workflow_url(torchserve),
            torchserve.token("inference"),
            count=count,
            clients=options.clients,
            picture_for=lambda index: bodies[index % len(bodies)],
        )
    )


def _read(torchserve: TorchServe, options: argparse.Namespace, moment: str) -> Footprint:
    time.sleep(options.settle)
    state = footprint(torchserve)
    say(f"{moment}: {state}")
    return state


def _outcome(states: list[Footprint], failing: Run, good: Run) -> Outcome:
    before, between, after = states
    found = left_behind(before, after) + [f"after failing: {what}" for what in left_behind(before, between)]
    wrong = wrongly_answered(failing)
    for what in [*found, *(f"{count} wrongly answered, {kind}" for kind, count in wrong.items())]:
        say(what)
    figures: dict[str, Figure] = {
        "java_threads": _path(state.java_threads for state in states),
        "workflow_threads": _path(state.workflow_threads for state in states),
        "java_heap_mb": _path(round(state.java_heap_mb) for state in states),
        "java_rss_mb": _path(round(state.java_rss_mb) for state in states),
        **{
            f"{model}_rss_mb": _path(round(state.workers_rss_mb[model]) for state in states)
            for model in before.workers_rss_mb
        },
        "queued": after.queued,
        "spooled": after.spooled,
        "failing": len(failing.samples),
        "wrong_codes": wrong.total(),
        "requests": len(good.samples),
        "lost": len(good.lost),
    }
    details = {
        "states": [asdict(state) for state in states],
        "left_behind": found,
        "wrong_codes": dict(wrong),
        "tolerances": asdict(TOLERANCES),
    }
    is_reached = not found and not wrong and not good.lost
    return Outcome("leaks", "threads ±3, memory within tolerance, queues and spool empty", is_reached, figures, details)


def _path(values: Iterable[float]) -> str:
    return "→".join(str(value) for value in values)
