"""What TorchServe's own process does not tell of itself: how many threads it has, and that it was started anew.

Owns who is asked and how often. TorchServe keeps a thread for ever for each request that fails inside a workflow
(docs/decisions/torchserve.md), so a number that climbs is the first sign of trouble. Its start tells workers that ended
from workers that were started together with it.
"""

from __future__ import annotations

import logging
import os
import time

import psutil

from fishgate.telemetry import Metric
from handlers.adaptors.torchserve import TorchServeMeter

_EVERY_S = 5.0
"""Asking takes some 50 µs: nothing every few seconds, but something with each batch."""

_log = logging.getLogger(__name__)


class JavaProcess:
    """The process that started this worker. Its figures are shown with the batches, as all those of a worker are."""

    def __init__(self, meter: TorchServeMeter, *, pid: int | None = None, every_s: float = _EVERY_S) -> None:
        """``pid`` stands in for the parent in tests; a parent that is no Java is not asked, and the log says so."""
        self._meter = meter
        self._every_s = every_s
        self._due_s = 0.0
        self._java = psutil.Process(os.getppid() if pid is None else pid)
        self._started_s = _after_boot_s(self._java)
        self._is_java = self._java.name().startswith("java")
        if not self._is_java:
            _log.warning("nothing of Java is shown: a worker's parent should be java, is %s", self._java.name())

    def tell(self) -> None:
        """Show the figures, unless they were shown a moment ago."""
        now_s = time.monotonic()
        if not self._is_java or now_s < self._due_s:
            return
        self._due_s = now_s + self._every_s
        try:
            self._meter.show(Metric.JAVA_THREADS, self._java.num_threads())
            self._meter.show(Metric.JAVA_STARTED_SECONDS, self._started_s)
        except psutil.Error:  # it has just ended, and so will this worker
            _log.warning("the threads of Java cannot be counted any more")


def _after_boot_s(process: psutil.Process) -> float:
    # Not the time of day: that of one and the same start changes when the machine's clock is set.
    return round(process.create_time() - psutil.boot_time(), 2)
