"""The figures of each version of a model, so that two can be held against each other.

Owns their names, labels and buckets.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_VERSIONS = 64
"""How many labels are kept at hand: both versions of both models, many times over."""


class VersionFigures(Protocol):
    """Where the figures go. ``model`` is ``expert`` or ``zero_shot``."""

    def answered(self, model: str, version: str, *, answered: int, refused: int, seconds: float) -> None:
        """A packet came back after so many seconds, with so many opinions and so many errors."""

    def failed(self, model: str, version: str, pictures: int) -> None:
        """A packet of so many pictures was lost, and is asked about again."""


class SilentVersionFigures:
    """For those who count nothing."""

    def answered(self, model: str, version: str, *, answered: int, refused: int, seconds: float) -> None:
        """Do nothing."""

    def failed(self, model: str, version: str, pictures: int) -> None:
        """Do nothing."""


class PrometheusVersionFigures:
    """``fishgate_gateway_version_answers_total`` by outcome, and ``…_version_seconds``, a packet's time."""

    def __init__(self, registry: CollectorRegistry) -> None:
        answers = Counter(
            "fishgate_gateway_version_answers",
            "Pictures by the version of the model that was asked, and what came of it",
            ["model", "version", "outcome"],
            registry=registry,
        )
        seconds = Histogram(
            "fishgate_gateway_version_seconds",
            "Packets by the version of the model that answered them",
            ["model", "version"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._answers: Callable[[str, str, str], Counter] = lru_cache(_VERSIONS)(answers.labels)
        self._seconds: Callable[[str, str], Histogram] = lru_cache(_VERSIONS)(seconds.labels)

    def answered(self, model: str, version: str, *, answered: int, refused: int, seconds: float) -> None:
        """A packet came back after so many seconds, with so many opinions and so many errors."""
        self._answers(model, version, "answered").inc(answered)
        if refused:
            self._answers(model, version, "refused").inc(refused)
        self._seconds(model, version).observe(seconds)

    def failed(self, model: str, version: str, pictures: int) -> None:
        """A packet of so many pictures was lost, and is asked about again."""
        self._answers(model, version, "failed").inc(pictures)
