"""What ``benchmarks/gateway_losses`` does: good and bad requests, workers being killed, and what became of them."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.deployments import java_of, paced_server
from benchmarks.distinct import numbered
from benchmarks.doors import IDENTIFY, Door, gateway_door
from benchmarks.killer import Killer
from benchmarks.load import Body, Run, Sample, send_many
from benchmarks.measure_leaks import TOLERANCES
from benchmarks.measure_losses import SLOW_MS, hit_by, is_deferred
from benchmarks.outcome import Figure, MeasurementError, Outcome, say
from benchmarks.pictures import BadRequest, bad_requests, bright_picture, dark_picture
from server.management import TorchServe

ASKED_MODELS = ("expert", "zero_shot")
"""The models that the gateway asks; the workflow's router has no part in this."""

CACHE_BYTES = 4_000_000
"""So small that it is full long before the first reading: what grows after that is no memory of answers."""

STEPS = 10


class Mixture:
    """What each request carries, by its number: a bright, a dark or a bad picture, no two good ones alike."""

    def __init__(self, *, deferred: float, bad: float) -> None:
        self._deferred, self._bad = deferred, bad
        self._bright, self._dark = bright_picture(), dark_picture()
        self._kinds = bad_requests()

    def body(self, index: int) -> Body:
        """Return what request ``index`` carries."""
        if is_deferred(index, self._bad):
            return self._kind(index).body
        number_of_good = index - self._bad_before(index)
        return numbered(self._dark if is_deferred(number_of_good, self._deferred) else self._bright, index)

    def code(self, index: int) -> str | None:
        """Return the code word with which request ``index`` must fail; None if it must be answered."""
        return self._kind(index).code if is_deferred(index, self._bad) else None

    def _kind(self, index: int) -> BadRequest:
        return self._kinds[self._bad_before(index) % len(self._kinds)]

    def _bad_before(self, index: int) -> int:
        return int(index * self._bad)


@dataclass(frozen=True)
class Reading:
    """The gateway's process at one moment; memory in megabytes (1e6 bytes)."""

    requests: int
    rss_mb: float
    files: int
    threads: int


def measure(options: argparse.Namespace) -> Outcome:
    """Send all requests while workers are being killed, and count."""
    mixture = Mixture(deferred=options.deferred, bad=options.bad)
    with tempfile.TemporaryDirectory(prefix="fishgate-") as scratch, paced_server() as torchserve:
        settings = {"cache_bytes": CACHE_BYTES}
        with gateway_door(torchserve, Path(scratch) / "gateway", **settings) as door:
            say("warming up")
            _sent(door, mixture, options, options.requests // 50, [])
            java_before = _java_threads(torchserve, options.settle)
            killer = Killer(torchserve, every_s=options.kill_every, models=ASKED_MODELS)
            readings: list[Reading] = []
            started_s = time.perf_counter()
            with killer:
                run = _sent(door, mixture, options, options.requests, readings)
            if killer.failure:
                raise killer.failure
            java = (java_before, _java_threads(torchserve, options.settle))
    hit = hit_by(run, killer.kills, started_s=started_s)
    return outcome_from(run, mixture, readings, java, {"kills": killer.by_model(), "under_way_at_a_kill": hit})


def wrongly_answered(run: Run, mixture: Mixture) -> Counter[str]:
    """Count the bad requests that were answered otherwise than with their own code word, by what came instead."""
    bad = [(sample, mixture.code(sample.index)) for sample in run.samples]
    return Counter(f"{code}: {sample.failure}" for sample, code in bad if code and sample.failure != code)


def lost(run: Run, mixture: Mixture) -> list[Sample]:
    """Return the good requests that got no answer."""
    return [sample for sample in run.lost if mixture.code(sample.index) is None]


def grown_mb(readings: list[Reading]) -> float:
    """Return by how much the memory has grown from the first reading, at a tenth of the requests, to the last."""
    return readings[-1].rss_mb - readings[0].rss_mb


def _sent(door: Door, mixture: Mixture, options: argparse.Namespace, count: int, readings: list[Reading]) -> Run:
    def progress(done: int) -> None:
        if done % max(1, count // STEPS) == 0:
            readings.append(_reading(door, done))
            say(f"{done:,} of {count:,} requests; the gateway takes {readings[-1].rss_mb:.0f} MB")

    return asyncio.run(
        send_many(
            f"http://127.0.0.1:{door.port}{IDENTIFY}",
            door.token,
            count=count,
            clients=options.clients,
            picture_for=mixture.body,
            on_progress=progress,
        )
    )


def _reading(door: Door, requests: int) -> Reading:
    try:
        process = psutil.Process(door.pids["gateway"][0])
        return Reading(requests, process.memory_info().rss / 1e6, process.num_fds(), process.num_threads())
    except psutil.NoSuchProcess as error:
        raise MeasurementError("the gateway has ended meanwhile") from error


def _java_threads(torchserve: TorchServe, settle_s: float) -> int:
    time.sleep(settle_s)  # a worker that was killed last comes back, and with it its threads
    return int(java_of(torchserve).num_threads())


def outcome_from(
    run: Run, mixture: Mixture, readings: list[Reading], java: tuple[int, int], killed: dict[str, Figure]
) -> Outcome:
    """Judge a run; ``java`` are the numbers of Java's threads before and after it."""
    gone, wrong = lost(run, mixture), wrongly_answered(run, mixture)
    reasons = Counter(str(sample.failure) for sample in gone)
    for what, count in [*reasons.items(), *wrong.items()]:
        say(f"{count} times: {what}")
    p50_ms, p99_ms, p999_ms = run.percentiles_ms(50, 99, 99.9)
    allowed_mb = TOLERANCES.worker_allowed_mb(readings[0].rss_mb)
    figures: dict[str, Figure] = {
        "lost": len(gone),
        "wrong_codes": wrong.total(),
        "degraded": sum(sample.is_flagged("degraded") for sample in run.samples),
        "rss_mb": f"{readings[0].rss_mb:.0f}→{readings[-1].rss_mb:.0f}",
        "java_threads": f"{java[0]}→{java[1]}",
        "p50_ms": p50_ms,
        "p99_ms": p99_ms,
        "p999_ms": p999_ms,
        "slower_than_1s": sum(sample.seconds * 1000 > SLOW_MS for sample in run.samples),
        **killed,
        "bad": sum(mixture.code(sample.index) is not None for sample in run.samples),
        "requests": len(run.samples),
        "per_second": run.per_second,
    }
    is_flat = grown_mb(readings) <= allowed_mb and abs(java[1] - java[0]) <= TOLERANCES.threads
    details: dict[str, Any] = {
        "readings": [asdict(one) for one in readings],
        "reasons": dict(reasons),
        "wrong_codes": dict(wrong),
        "slowest_ms": run.percentiles_ms(100)[0],
        "tolerances": {"rss_mb": allowed_mb, "java_threads": TOLERANCES.threads},
    }
    target = "lost = 0, every bad request with its own code; memory and Java threads as before"
    return Outcome("gateway_losses", target, not gone and not wrong and is_flat, figures, details)
