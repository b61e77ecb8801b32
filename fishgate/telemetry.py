"""What is measured, and by which names.

Owns the names of the metrics and the small interface through which the library reports them. How
they reach Prometheus is the business of whoever gives the meter.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Protocol


class Metric(str, Enum):
    """Names of the metrics; units stand in the names, durations are in seconds."""

    IDENTIFICATIONS = "fishgate_identifications_total"  # source, outcome
    RANKS = "fishgate_ranks_total"  # rank: how precise the answers are
    DEFERRALS = "fishgate_deferrals_total"
    ERRORS = "fishgate_errors_total"  # model, code
    BATCHES = "fishgate_batches_total"  # model, size
    EXPERT_CONFIDENCE = "fishgate_expert_confidence"
    EXPERT_DOUBT = "fishgate_expert_doubt"  # 1 - confidence: fine buckets where it matters
    STAGE_SECONDS = "fishgate_stage_seconds"  # model, stage
    JAVA_THREADS = "fishgate_java_threads"  # of TorchServe itself
    JAVA_STARTED_SECONDS = "fishgate_java_started_seconds"  # from the machine's boot to the start of TorchServe


class Stage(str, Enum):
    """Parts of the work on a batch or a picture."""

    DECODE = "decode"
    FORWARD = "forward"
    ZERO_SHOT_CALL = "zero_shot_call"


class Meter(Protocol):
    """Where metrics go."""

    def count(self, metric: Metric, amount: int = 1, **labels: str) -> None:
        """Add to a counter."""

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Put a value into a histogram."""


class SilentMeter:
    """A meter for those who measure nothing."""

    def count(self, metric: Metric, amount: int = 1, **labels: str) -> None:
        """Do nothing."""

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Do nothing."""


@contextmanager
def timed(meter: Meter, model: str, stage: Stage) -> Iterator[None]:
    """Observe how long the block took, whether or not it raised."""
    started_s = time.perf_counter()
    try:
        yield
    finally:
        meter.observe(Metric.STAGE_SECONDS, time.perf_counter() - started_s, model=model, stage=stage.value)
