"""Reading the processes of a soak every few seconds: memory, threads, open files, and Java's heap now and then."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil

from benchmarks.background import Background
from benchmarks.footprint import heap_after_collection_mb
from benchmarks.outcome import MeasurementError
from server.management import ManagementError

HEAP_EVERY = 5
"""Every so many readings the heap is collected and read; in between it holds what is not collected yet."""

_GONE = (psutil.Error, OSError, MeasurementError, ManagementError)


@dataclass(frozen=True, slots=True)
class Reading:
    """One process at one moment, in seconds from the start of the run; memory in megabytes (1e6 bytes)."""

    at_s: float
    process: str
    pid: int
    rss_mb: float
    threads: int
    files: int
    heap_mb: float | None = None


class Watcher(Background):
    """Reads while its context lasts. A process that is not there at a moment is not in its readings."""

    def __init__(self, pids: Callable[[], Mapping[str, int]], *, every_s: float, started_s: float) -> None:
        super().__init__("watcher")
        self.readings: list[Reading] = []
        self._pids = pids
        self._every_s = every_s
        self._started_s = started_s

    def _run(self) -> None:
        turn = 0
        while not self._is_over.wait(self._every_s):
            turn += 1
            # Servers come and go while we look; what is missing in one reading is there in the next.
            with contextlib.suppress(*_GONE):
                for process, pid in self._pids().items():
                    self._read(process, pid, with_heap=process == "java" and turn % HEAP_EVERY == 0)

    def _read(self, process: str, pid: int, *, with_heap: bool) -> None:
        with contextlib.suppress(*_GONE):
            # Collecting first: jcmd itself opens files in Java for a moment.
            heap_mb = heap_after_collection_mb(pid) if with_heap else None
            one = psutil.Process(pid)
            at_s = time.perf_counter() - self._started_s
            rss_mb = one.memory_info().rss / 1e6
            self.readings.append(Reading(at_s, process, pid, rss_mb, one.num_threads(), one.num_fds(), heap_mb))
