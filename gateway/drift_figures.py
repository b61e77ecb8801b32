"""The drift monitor's figures, as Prometheus reads them.

Owns their names and buckets; what they mean stands in ``gateway.drift``.
"""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.drift_shadow import Verdict

BUCKETS = tuple(number / 20 for number in range(1, 21))
"""Twenty of equal width: a shift shows wherever it happens, and quantiles can be read off."""

_PREFIX = "fishgate_gateway_"


class DriftFigures:
    """A ``gateway.drift.DriftObserver``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._certainty = Histogram(
            f"{_PREFIX}expert_certainty", "What the gate read of each picture", buckets=BUCKETS, registry=registry
        )
        self._confidence = Histogram(
            f"{_PREFIX}expert_confidence",
            "The expert's confidence in its first name",
            buckets=BUCKETS,
            registry=registry,
        )
        self._asked = Counter(f"{_PREFIX}expert_asked", "Pictures that the card's own gate judged", registry=registry)
        self._accepted = Counter(f"{_PREFIX}expert_accepted", "Those of them that it accepted", registry=registry)
        self._certified = Gauge(
            f"{_PREFIX}certificate_coverage",
            "The part accepted in calibration; NaN without a certificate",
            registry=registry,
        )
        self._certified.set(math.nan)
        shadow = Counter(
            f"{_PREFIX}shadow",
            "What zero-shot said of a sample of the accepted pictures",
            ["result"],
            registry=registry,
        )
        dropped = Counter(
            f"{_PREFIX}shadow_dropped",
            "Accepted pictures that were drawn while there was no time for them",
            registry=registry,
        )
        self._verdicts: dict[Verdict | None, Counter] = {
            **{verdict: shadow.labels(verdict.value) for verdict in Verdict},
            None: dropped,
        }

    def judged(self, *, certainty: float, confidence: float, accepted: bool) -> None:
        """The gate judged a picture."""
        self._certainty.observe(certainty)
        self._confidence.observe(confidence)
        self._asked.inc()
        if accepted:
            self._accepted.inc()

    def certified(self, coverage: float | None) -> None:
        """Show the certificate's coverage."""
        self._certified.set(math.nan if coverage is None else coverage)

    def second_opinion(self, verdict: Verdict | None) -> None:
        """Count what zero-shot said, or that it was not asked."""
        self._verdicts[verdict].inc()
