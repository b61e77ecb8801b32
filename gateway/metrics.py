"""The gateway's figures, as Prometheus reads them.

Owns their names, labels and buckets. The engine tells its part through ``gateway.observing.Observer``, the doors
theirs through ``request`` and ``answer``.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from fishgate import __version__
from fishgate.answer import Answer, Source
from fishgate.errors import REQUEST_ERRORS
from gateway.breaker import State
from gateway.drift_figures import DriftFigures
from gateway.exchange import CURRENT, Exchange
from gateway.version_figures import PrometheusVersionFigures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0)
"""Every limit that an alert sets stands among them: between two the quantile is only a guess."""
_PICTURES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The figures of one gateway, in a registry of their own. It is an ``Observer``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        requests = self._histogram(
            "request_seconds", "Requests by route, source, way and code", ["route", "source", "deferred", "code"]
        )
        stages = self._histogram("stage_seconds", "Stages on the way of a picture", ["stage"])
        # Labels are looked up once each: that costs more than an observation.
        self._request_seconds: Callable[[str, str, str, str], Histogram] = lru_cache(None)(requests.labels)
        self._stage_seconds: Callable[[str], Histogram] = lru_cache(None)(stages.labels)
        self._packets = self._histogram("packet_pictures", "Pictures in a packet", ["model"], _PICTURES)
        self._answers = self._counter("answers", "Answers by source and outcome", ["source", "outcome"])
        self._picture_errors = self._counter("picture_errors", "Pictures answered with an error, by code", ["code"])
        self._begin_at_zero()
        self._deferrals = self._counter("deferrals", "Pictures that the gate sent on to zero-shot", [])
        self._cache = self._counter("cache_lookups", "Answers looked for among the remembered ones", ["result"])
        self._retries = self._counter("retries", "Pictures that a model was asked about again", ["model"])
        self._waiting = self._gauge("queue_pictures", "Pictures that wait to be sent to a model", ["model"])
        self._in_flight = self._gauge("packets_in_flight", "Packets that a model has not answered yet", ["model"])
        self._breaker = self._gauge("breaker_state", "Zero-shot's circuit breaker: 1 for its state", ["state"])
        self.breaker(State.CLOSED.value)
        self._gauge("build_info", "What runs here", ["version", "python"]).labels(
            __version__, platform.python_version()
        ).set(1)
        self.drift = DriftFigures(self.registry)
        self.versions = PrometheusVersionFigures(self.registry)
        ProcessCollector(namespace="fishgate_gateway", registry=self.registry)

    def request(self, *, route: str, source: str, code: str, seconds: float) -> None:
        """A request is over; ``code`` is ``ok`` or that of the error, ``source`` is empty without an answer.

        Told from within the task of the request, whose exchange knows whether the picture was deferred.
        """
        self._request_seconds(route, source, _deferred(CURRENT.get()), code).observe(seconds)

    def answer(self, answer: Answer) -> None:
        """A picture was answered."""
        outcome = "degraded" if answer.degraded else "low_confidence" if answer.low_confidence else "accepted"
        self._answers.labels(answer.source.value, outcome).inc()
        if answer.deferred:
            self._deferrals.inc()

    def picture_failed(self, code: str) -> None:
        """A picture was answered with an error of this code, whatever becomes of the request that it came in."""
        self._picture_errors.labels(code).inc()

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """Show a gauge whose value is asked for whenever somebody looks."""
        self._gauge(name, what, []).set_function(value)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self.registry)

    def stage(self, name: str, seconds: float) -> None:
        """A picture went through a stage; its exchange is told as well."""
        self._stage_seconds(name).observe(seconds)
        exchange = CURRENT.get()
        if exchange is not None:
            exchange.stages.append((name, seconds, time.monotonic()))

    def packet(self, model: str, pictures: int) -> None:
        """A packet of so many pictures was sent."""
        self._packets.labels(model).observe(pictures)

    def cache(self, hit: bool) -> None:
        """An answer was looked for among the remembered ones."""
        self._cache.labels("hit" if hit else "miss").inc()

    def breaker(self, state: str) -> None:
        """Zero-shot's circuit breaker is now in this state."""
        for one in State:
            self._breaker.labels(one.value).set(one.value == state)

    def waiting(self, model: str, count: int) -> None:
        """So many pictures wait to be sent."""
        self._waiting.labels(model).set(count)

    def in_flight(self, model: str, count: int) -> None:
        """So many packets are in flight."""
        self._in_flight.labels(model).set(count)

    def retried(self, model: str) -> None:
        """A picture is asked about again."""
        self._retries.labels(model).inc()

    def _begin_at_zero(self) -> None:
        """Show what has not happened yet as 0: Prometheus does not see the first of a series that was not there."""
        self._answers.labels(Source.EXPERT.value, "degraded")
        for error in REQUEST_ERRORS:
            self._picture_errors.labels(error.code)

    def _histogram(self, name: str, what: str, labels: list[str], buckets: tuple[float, ...] = _SECONDS) -> Histogram:
        return Histogram(f"fishgate_gateway_{name}", what, labels, buckets=buckets, registry=self.registry)

    def _counter(self, name: str, what: str, labels: list[str]) -> Counter:
        return Counter(f"fishgate_gateway_{name}", what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str, labels: list[str]) -> Gauge:
        return Gauge(f"fishgate_gateway_{name}", what, labels, registry=self.registry)


def _deferred(exchange: Exchange | None) -> str:
    """Return the label: empty where there was no answer, or a whole batch of them."""
    if exchange is None or exchange.deferred is None:
        return ""
    return "true" if exchange.deferred else "false"
