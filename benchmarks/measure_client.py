"""What ``benchmarks/client`` does: the saturated gateway, and the client's command with a folder, in turn."""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import psutil

from benchmarks.deployments import paced_server
from benchmarks.distinct import numbered
from benchmarks.doors import Door, gateway_door
from benchmarks.measure_gateway import round_from
from benchmarks.measure_losses import is_deferred
from benchmarks.outcome import Figure, MeasurementError, Outcome, say
from benchmarks.pictures import bright_picture, dark_picture
from benchmarks.processor_time import processor_s, spent_s, torchserve_pids
from benchmarks.quick_client import Load, send_quickly
from server.bootstrap import ROOT

TARGET = 0.95
STEADY = (0.1, 0.9)
"""The command is measured between these parts of its pictures; the whole, its start included, is told as well."""

_LOOK_S = 0.05
_LIMIT_S = 600.0
_FIRST_SINGLE = 1_000_000_000
"""Numbers of pictures in single requests begin here, so that no picture of the folder is among them."""


@dataclass(frozen=True)
class Round:
    """One turn: pictures a second of the saturated gateway, of the command when it runs, and of all of its run.

    ``cpu_ms`` is the processor time of a picture by process while the command ran, in milliseconds.
    """

    saturated: float
    steady: float
    whole: float
    cpu_ms: dict[str, float]

    @property
    def ratio(self) -> float:
        """The command ÷ the saturated gateway."""
        return self.steady / self.saturated


def measure(options: argparse.Namespace) -> Outcome:
    """Run the rounds in turn; the median of the rounds' ratios is the figure."""
    with tempfile.TemporaryDirectory(prefix="fishgate-") as scratch, ExitStack() as stack:
        folder = Path(scratch)
        _write_pictures(folder / "photos", options.pictures, deferred=options.deferred)
        torchserve = stack.enter_context(paced_server())
        # Without memory of answers: the same folder is sent again and again.
        door = stack.enter_context(gateway_door(torchserve, folder / "gateway", cache_bytes=0))
        door = replace(door, pids={**door.pids, **torchserve_pids(torchserve)})
        numbers = itertools.count(_FIRST_SINGLE, 1_000_000)
        _round(door, options, folder, next(numbers), name="warm-up")
        rounds = [
            _round(door, options, folder, next(numbers), name=f"round {one + 1}") for one in range(options.rounds)
        ]
    return _outcome(rounds)


def _round(door: Door, options: argparse.Namespace, folder: Path, first: int, *, name: str) -> Round:
    saturated = _saturated(door, options, first)
    steady, whole, cpu_ms = _command(door, options, folder)
    shares = ", ".join(f"{one} {spent:.2f}" for one, spent in cpu_ms.items())
    say(
        f"{name}: saturated {saturated:.0f} a second, command {steady:.0f} ({whole:.0f} with its start): "
        f"{steady / saturated:.3f}; processor ms a picture: {shares}"
    )
    return Round(saturated, steady, whole, cpu_ms)


def _saturated(door: Door, options: argparse.Namespace, first: int) -> float:
    seconds = options.warm_up + options.seconds
    load = Load(door.port, door.path, options.clients, seconds, deferred=options.deferred, first=first)
    sent = send_quickly(load)
    found = round_from(door.name, sent, {}, warm_up_s=options.warm_up, until_s=seconds)
    if found.lost:
        raise MeasurementError(f"{found.lost} single requests were not answered: {sent.run.lost[0].failure}")
    return found.per_second


def _command(door: Door, options: argparse.Namespace, folder: Path) -> tuple[float, float, dict[str, float]]:
    """Run the command; return pictures a second in its steady part and in all, and the processor's times."""
    with tempfile.TemporaryDirectory(dir=folder) as results:
        out = Path(results) / f"results.{options.form}"
        lines = out.with_name(out.name + ".partial.jsonl") if options.form == "parquet" else out
        before, started_s = processor_s(door.pids), time.perf_counter()
        process = psutil.Popen(
            _arguments(door, options, out), cwd=folder, env=_environment(), stdout=subprocess.DEVNULL
        )
        times, own_s = _watched(process, lines)
        whole_s = time.perf_counter() - started_s
        if process.returncode:
            raise MeasurementError(f"the command ended with status {process.returncode}")
        spent = {**spent_s(before, processor_s(door.pids)), "client": own_s}
    return (
        steady_per_second(times, options.pictures),
        options.pictures / whole_s,
        {name: 1000 * seconds / options.pictures for name, seconds in spent.items()},
    )


def steady_per_second(times: Sequence[tuple[float, int]], pictures: int) -> float:
    """Return pictures a second in the steady part; ``times`` are (seconds, results so far), in order."""
    first, last = (next((one for one in times if one[1] >= part * pictures), None) for part in STEADY)
    if first is None or last is None or last[0] <= first[0]:
        raise MeasurementError("the command was not seen at its work: it wrote too little, or all at once")
    return (last[1] - first[1]) / (last[0] - first[0])


def _watched(process: psutil.Popen, lines: Path) -> tuple[list[tuple[float, int]], float]:
    """Count the results while the command writes them; return when there were how many, and its processor time."""
    times: list[tuple[float, int]] = []
    count, own_s, until_s = 0, 0.0, time.perf_counter() + _LIMIT_S
    while not lines.exists() and process.poll() is None:
        time.sleep(_LOOK_S)
    with lines.open("rb") as file:
        while process.poll() is None:
            own_s = _processor_s(process, own_s)
            count += file.read().count(b"\n")
            times.append((time.perf_counter(), count))
            time.sleep(_LOOK_S)
            if time.perf_counter() > until_s:
                process.kill()
                raise MeasurementError(f"the command took more than {_LIMIT_S:.0f} seconds")
    return times, own_s


def _processor_s(process: psutil.Popen, before_s: float) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:  # it has ended meanwhile
        return before_s
    return max(before_s, float(times.user + times.system))


def _arguments(door: Door, options: argparse.Namespace, out: Path) -> list[str]:
    more = [] if options.at_once is None else ["--at-once", str(options.at_once)]
    url = f"http://127.0.0.1:{door.port}"
    return [sys.executable, "-m", "fishgate_client", "--url", url, "photos", "--out", str(out), *more]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "client")}


def _write_pictures(folder: Path, count: int, *, deferred: float) -> None:
    folder.mkdir()
    bright, dark = bright_picture(), dark_picture()
    for number in range(count):
        picture = dark if is_deferred(number, deferred) else bright
        (folder / f"{number:06}.jpg").write_bytes(numbered(picture, number))


def _outcome(rounds: list[Round]) -> Outcome:
    ratio = median(one.ratio for one in rounds)
    figures: dict[str, Figure] = {
        "ratio": ratio,
        "lowest": min(one.ratio for one in rounds),
        "highest": max(one.ratio for one in rounds),
        "whole": median(one.whole / one.saturated for one in rounds),
        "saturated_per_second": median(one.saturated for one in rounds),
        "command_per_second": median(one.steady for one in rounds),
        "client_cpu_ms": median(one.cpu_ms["client"] for one in rounds),
        "rounds": len(rounds),
    }
    details = {"rounds": [vars(one) for one in rounds]}
    return Outcome("client", f"command ÷ saturated gateway ≥ {TARGET}", ratio >= TARGET, figures, details)
