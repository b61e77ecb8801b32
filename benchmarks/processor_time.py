"""Who used the processor: the time that named processes took, with their threads, between two readings."""

from __future__ import annotations

from collections.abc import Mapping

import psutil

from benchmarks.deployments import java_of, worker_pids
from benchmarks.outcome import MeasurementError
from server.management import TorchServe


def torchserve_pids(torchserve: TorchServe) -> dict[str, list[int]]:
    """Return the processes of a TorchServe by what they are: Java, and the workers of both models."""
    workers = {model: worker_pids(torchserve, model) for model in ("expert", "zero_shot")}
    return {"java": [java_of(torchserve).pid], **workers}


def processor_s(pids: Mapping[str, list[int]]) -> dict[str, float]:
    """Return how many seconds of processor time each group of processes has used since it began."""
    try:
        return {name: sum(map(_process_s, group)) for name, group in pids.items()}
    except psutil.NoSuchProcess as error:
        raise MeasurementError(f"a process that was to be measured has ended (number {error.pid})") from error


def spent_s(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what each group has used between two readings."""
    return {name: after[name] - before[name] for name in after}


def _process_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
