"""A meter that remembers what it was told."""

from __future__ import annotations

from fishgate.telemetry import Metric


class RecordingMeter:
    """Keeps every count and observation, in order."""

    def __init__(self) -> None:
        self.counts: list[tuple[Metric, int, dict[str, str]]] = []
        self.values: list[tuple[Metric, float, dict[str, str]]] = []

    def count(self, metric: Metric, amount: int = 1, **labels: str) -> None:
        self.counts.append((metric, amount, labels))

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        self.values.append((metric, value, labels))

    def counted(self, metric: Metric) -> list[dict[str, str]]:
        """The labels of each count of this metric."""
        return [labels for seen, _, labels in self.counts if seen is metric]
