"""How many threads TorchServe's own process has, which it does not tell itself.

Owns who is asked and how often. TorchServe keeps a thread for ever for each request that fails inside a workflow
(docs/decisions/torchserve.md), so a number that climbs is the first sign of trouble.
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


class JavaThreads:
    """The threads of the process that started this worker. Shown with the batches, as all figures of a worker are."""

    def __init__(self, meter: TorchServeMeter, *, pid: int | None = None, every_s: float = _EVERY_S) -> None:
        """``pid`` stands in for the parent in tests; a parent that is no Java is not asked, and the log says so."""
        self._meter = meter
        self._every_s = every_s
        self._due_s = 0.0
        self._java = psutil.Process(os.getppid() if pid is None else pid)
        self._is_java = self._java.name().startswith("java")
        if not self._is_java:
            _log.warning(
                "the threads of Java are not shown: a worker's parent should be java, is %s", self._java.name()
            )

    def tell(self) -> None:
        """Show the number, unless it was shown a moment ago."""
        now_s = time.monotonic()
        if not self._is_java or now_s < self._due_s:
            return
        self._due_s = now_s + self._every_s
        try:
            self._meter.show(Metric.JAVA_THREADS, self._java.num_threads())
        except psutil.Error:  # it has just ended, and so will this worker
            _log.warning("the threads of Java cannot be counted any more")
