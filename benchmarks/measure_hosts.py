"""What ``benchmarks/hosts`` does: one gateway before more and more hosts, and then before hosts in trouble."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import psutil

from benchmarks.distinct import numbered
from benchmarks.doors import IDENTIFY
from benchmarks.load import Run, send_many
from benchmarks.measure_losses import is_deferred
from benchmarks.named_hosts import NamedHosts, named_gateway
from benchmarks.namespaces import why_not
from benchmarks.outcome import Figure, MeasurementError, Outcome, say
from benchmarks.paced.pack import build_paced
from benchmarks.paced_hosts import PacedHosts, paced_hosts
from benchmarks.pictures import bright_picture, dark_picture

TARGET = 0.9
CLIENTS_EACH = 32
"""Pictures under way for each host: two packets of eight in work, and as many waiting."""

Happening = tuple[str, Callable[[], object]]


class Asking:
    """Pictures for the gateway, no two of them alike."""

    def __init__(self, gateway: NamedHosts, *, deferred: float) -> None:
        self._url = gateway.url + IDENTIFY
        self._deferred = deferred
        self._bright, self._dark = bright_picture(), dark_picture()
        self._numbers = count()

    async def ask(self, *, clients: int, seconds: float) -> Run:
        """Keep so many pictures under way for so long."""
        return await send_many(self._url, "", clients=clients, picture_for=self._picture, seconds=seconds)

    def _picture(self, _index: int) -> bytes:
        number = next(self._numbers)
        return numbered(self._dark if is_deferred(number, self._deferred) else self._bright, number)


def measure(options: argparse.Namespace) -> Outcome:
    """Start the hosts, measure throughput by their number, then what trouble costs."""
    if (reason := why_not()) is not None:
        raise MeasurementError(reason)
    number = options.hosts + 1  # the last is added during the trouble
    with tempfile.TemporaryDirectory(prefix="fishgate-") as scratch:
        folder = Path(scratch).resolve()
        store = folder / "store"
        store.mkdir()
        build_paced(store)
        with (
            paced_hosts(number, folder, store, pace_s=options.pace) as hosts,
            named_gateway(folder / "gateway", hosts.addresses) as gateway,
        ):
            asking = Asking(gateway, deferred=options.deferred)
            rates, busy = _scaled(gateway, hosts, asking, options)
            lost = _troubled(gateway, hosts, asking, options)
    return outcome_from(rates, busy, *lost)


def _scaled(
    gateway: NamedHosts, hosts: PacedHosts, asking: Asking, options: argparse.Namespace
) -> tuple[dict[int, float], float]:
    """Return answers a second by number of hosts, and the part of the processor that was busy with all of them."""
    rates: dict[int, float] = {}
    for number in range(1, options.hosts + 1):
        _lead_to(gateway, hosts.addresses[:number])
        clients = CLIENTS_EACH * number
        asyncio.run(asking.ask(clients=clients, seconds=options.warm_up))
        psutil.cpu_percent()
        run = asyncio.run(asking.ask(clients=clients, seconds=options.seconds))
        busy = psutil.cpu_percent() / 100
        if run.lost:
            raise MeasurementError(f"{len(run.lost)} requests failed while nothing was wrong: {run.lost[0].failure}")
        rates[number] = run.steady_per_second(skip=clients)
        say(f"{number} hosts: {rates[number]:.1f} a second, processor busy {busy:.2f}")
    return rates, busy


def _troubled(
    gateway: NamedHosts, hosts: PacedHosts, asking: Asking, options: argparse.Namespace
) -> tuple[Run, list[str]]:
    """Let one thing after the other happen under load; return the run, and what happened."""
    if options.hosts < 3:
        raise MeasurementError("for one killed, one cut off and one slowed there must be three hosts")
    addresses = hosts.addresses
    _lead_to(gateway, addresses[: options.hosts])
    happenings: Sequence[Happening] = (
        ("killed", lambda: hosts.kill(0)),
        ("cut off", lambda: hosts.cut(1)),
        ("mended", lambda: hosts.mend(1)),
        ("slowed", lambda: hosts.slow(2)),
        ("added", lambda: gateway.name(addresses)),
    )
    run = asyncio.run(_under_load(asking, happenings, options))
    gateway.wait_for("the killed host is out", lambda: gateway.state_of(addresses[0]) == "out")
    if not gateway.answered_by(addresses[-1]):
        raise MeasurementError("the added host was never asked")
    return run, [name for name, _ in happenings]


async def _under_load(asking: Asking, happenings: Sequence[Happening], options: argparse.Namespace) -> Run:
    """Ask all the time, and let something happen at even distances."""
    pause_s = options.trouble / (len(happenings) + 1)

    async def happen() -> None:
        for name, what in happenings:
            await asyncio.sleep(pause_s)
            say(f"a host is {name}: {await asyncio.to_thread(what) or ''}")

    asked = asking.ask(clients=CLIENTS_EACH * options.hosts, seconds=options.trouble)
    run, _ = await asyncio.gather(asked, happen())
    return run


def _lead_to(gateway: NamedHosts, addresses: Sequence[str]) -> None:
    """Let the gateway's name lead to these hosts, and wait until it knows."""
    gateway.name(addresses)

    def is_known() -> bool:
        return {key[1] for key in gateway.figures()} == set(addresses)

    gateway.wait_for(f"the gateway has {len(addresses)} hosts", is_known)


def outcome_from(rates: Mapping[int, float], busy: float, run: Run, happened: Sequence[str]) -> Outcome:
    """Judge throughput by number of hosts, and the run in trouble."""
    parts = {number: rate / (number * rates[1]) for number, rate in rates.items()}
    reasons = Counter(str(sample.failure) for sample in run.lost)
    for reason, times in reasons.items():
        say(f"{times} times: {reason}")
    worst = min(parts.values())
    p50_ms, p99_ms = run.percentiles_ms(50, 99)
    figures: dict[str, Figure] = {
        "linear": worst,
        "per_second": {str(number): rate for number, rate in rates.items()},
        "processor_busy": busy,
        "lost": len(run.lost),
        "degraded": sum(sample.is_flagged("degraded") for sample in run.samples),
        "in_trouble": len(run.samples),
        "per_second_in_trouble": run.per_second,
        "p50_ms": p50_ms,
        "p99_ms": p99_ms,
        "slowest_ms": run.percentiles_ms(100)[0],
    }
    details: dict[str, Any] = {"parts": parts, "happened": list(happened), "reasons": dict(reasons)}
    target = f"linear ≥ {TARGET} for every number of hosts, lost = 0"
    return Outcome("hosts", target, worst >= TARGET and not run.lost, figures, details)
